package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/cli"
)

func TestFlumeLine(t *testing.T) {
	zone := time.Date(2019, 5, 30, 22, 50, 45, 479e6, time.Local).Format("2006-01-02T15:04:05.000Z07:00")
	for _, tt := range []struct{ name, line, want string }{
		{"is Flume's", `{"time":"` + zone + `","level":"info","logger":"node.Application","name":"k1","message":"Starting Sink k1"}` + "\n",
			"2019-05-30 22:50:45,479 INFO node.Application: Starting Sink k1"},
		{"names the component", `{"time":"` + zone + `","level":"warn","logger":"sink.Null","name":"k1","message":"k12 is full"}`,
			"2019-05-30 22:50:45,479 WARN sink.Null: k1: k12 is full"},
		{"adds the error and other fields in order", `{"time":"` + zone + `","level":"error","logger":"x","message":"writing","error":"no space","b":[1,2],"a":12345678901}`,
			"2019-05-30 22:50:45,479 ERROR x: writing: no space (a=12345678901, b=[1 2])"},
		{"stays one line", `{"time":"` + zone + `","level":"info","logger":"x","message":"a\nb"}`,
			`2019-05-30 22:50:45,479 INFO x: a\nb`},
		{"without a logger", `{"time":"` + zone + `","level":"info","message":"m"}`, "2019-05-30 22:50:45,479 INFO flumekit: m"},
		{"leaves other text", "panic: runtime error\r\n", "panic: runtime error"},
		{"leaves other JSON", `{"headers":{},"body":"x"}`, `{"headers":{},"body":"x"}`},
		{"leaves nothing", "\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(cli.FlumeLine([]byte(tt.line))); got != tt.want {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestLogger(t *testing.T) {
	write := func(format, level string) string {
		var out bytes.Buffer
		log := cli.Logging{Format: format, Level: level}.Logger(&out, "k1")
		log.Info().Str("logger", "sink.Null").Msg("quiet")
		log.Warn().Str("logger", "sink.Null").Err(errors.New("no space")).Msg("loud")
		return out.String()
	}
	for _, format := range []string{"auto", "json"} {
		out := write(format, "warn")
		var line map[string]string
		if err := json.Unmarshal([]byte(out), &line); err != nil {
			t.Fatalf("%s: got %q: %v", format, out, err)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z07:00", line["time"]); err != nil {
			t.Errorf("%s: time: %v", format, err)
		}
		if line["level"] != "warn" || line["name"] != "k1" || line["message"] != "loud" || line["error"] != "no space" || line["logger"] != "sink.Null" {
			t.Errorf("%s: got %v", format, line)
		}
	}
	if out := write("flume", "info"); strings.Count(out, "\n") != 2 || !strings.HasSuffix(out, " WARN sink.Null: k1: loud: no space\n") {
		t.Errorf("flume: got %q", out)
	}
	if out := write("console", "info"); !strings.Contains(out, "INF sink.Null quiet name=k1\n") {
		t.Errorf("console: got %q", out)
	}
}
