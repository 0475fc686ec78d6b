package stdout

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventjson"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

func TestPromises(t *testing.T) {
	for format, body := range map[string]func(line string) string{
		"body": func(line string) string { return line },
		"json": func(line string) string {
			e, err := eventjson.Decode([]byte(line))
			if err != nil {
				return err.Error()
			}
			return string(e.Body)
		},
		"text": func(line string) string {
			_, dump, _ := strings.Cut(line, " body: ")
			return strings.TrimSuffix(dump[3*16:], " }")
		},
	} {
		t.Run(format, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T) (sink.Options, sinktest.Destination) {
					out := sinktest.NewOutput(t)
					return &Options{Format: format, out: out.File}, out.Destination(body)
				},
				Refused: map[string]func(*testing.T) sink.Options{
					"format": func(*testing.T) sink.Options { return &Options{Format: "xml"} },
				},
			})
		})
	}
}

func TestFormats(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  []string
		want string
	}{
		{"the default", nil, "hi\n\ncaf\xe9\n"},
		{"body", []string{"format", "body"}, "hi\n\ncaf\xe9\n"},
		{"json", []string{"format", "json"}, `{"headers":{"host":"a"},"body":"hi"}` + "\n" +
			`{"headers":{},"body":""}` + "\n" +
			`{"headers":{},"body64":"Y2Fm6Q=="}` + "\n"},
		{"text", []string{"format", "text"}, "2000-01-01 00:00:00,000 INFO sink.LoggerSink: Event: { headers:{host=a} body: 68 69                                           hi }\n" +
			"2000-01-01 00:00:00,000 INFO sink.LoggerSink: Event: { headers:{} body: }\n" +
			"2000-01-01 00:00:00,000 INFO sink.LoggerSink: Event: { headers:{} body: 63 61 66 E9                                     caf. }\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := sinktest.NewOutput(t)
			opt := sinktest.Set(t, &Options{out: out.File}, tt.set...)
			var b event.Batch
			b.Append(event.Event{Headers: event.NewHeaders("host", "a"), Body: []byte("hi")})
			b.Append(event.Event{})
			b.Append(event.Event{Body: []byte("caf\xe9")})
			synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01, UTC
				s, err := opt.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Write(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
			})
			if got := out.Text(t); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	for _, format := range []string{"body", "json", "text"} {
		b.Run(format, func(b *testing.B) {
			sinktest.Benchmark(b, &Options{Format: format, out: null})
		})
	}
}
