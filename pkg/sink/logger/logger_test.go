package logger

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

func TestPromises(t *testing.T) {
	sinktest.Run(t, sinktest.Case{
		New: func(t *testing.T) (sink.Options, sinktest.Destination) {
			out := sinktest.NewOutput(t)
			return &Options{MaxBytesToLog: 16, out: out.File}, out.Destination(func(line string) string {
				_, dump, _ := strings.Cut(line, " body: ")
				return strings.TrimSuffix(dump[3*16:], " }")
			})
		},
		Refused: map[string]func(*testing.T) sink.Options{
			"maxBytesToLog": func(*testing.T) sink.Options { return &Options{MaxBytesToLog: -1} },
		},
	})
}

// The cases of Flume's TestLoggerSink.
func TestWrite(t *testing.T) {
	for _, tt := range []struct {
		name string
		opt  *Options
		want string
	}{
		{"the default", sinktest.Set(t, new(Options)), "54 65 73 74 20 30 31 32 33 34 35 36 37 38 39 61 Test 0123456789a"},
		{"maxBytesToLog of 30", &Options{MaxBytesToLog: 30},
			"54 65 73 74 20 30 31 32 33 34 35 36 37 38 39 61 Test 0123456789a\n" +
				"00000010 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F       bcdefghijklmno"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := sinktest.NewOutput(t)
			tt.opt.out = out.File
			var want strings.Builder
			synctest.Test(t, func(t *testing.T) {
				s, err := tt.opt.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				var b event.Batch
				for i := range 10 {
					b.Append(event.Event{Headers: event.NewHeaders("n", fmt.Sprint(i)), Body: []byte("Test 0123456789abcdefghijklmnopqrstuvwxyz")})
					fmt.Fprintf(&want, "%s INFO sink.LoggerSink: Event: { headers:{n=%d} body: %s }\n",
						time.Now().Format("2006-01-02 15:04:05,000"), i, tt.want)
				}
				if err := s.Write(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
			})
			if got := out.Text(t); got != want.String() {
				t.Errorf("got\n%s\nwant\n%s", got, want.String())
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
	sinktest.Benchmark(b, &Options{MaxBytesToLog: 16, out: null})
}
