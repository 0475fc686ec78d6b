package null_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/null"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

func TestPromises(t *testing.T) {
	sinktest.Run(t, sinktest.Case{
		New: func(t *testing.T) (sink.Options, sinktest.Destination) {
			return sinktest.Set(t, new(null.Options)), sinktest.Destination{}
		},
		Refused: map[string]func(*testing.T) sink.Options{
			"batchSize":       func(*testing.T) sink.Options { return &null.Options{LogEveryNEvents: 1} },
			"logEveryNEvents": func(*testing.T) sink.Options { return &null.Options{BatchSize: 1, LogEveryNEvents: -1} },
		},
	})
}

func TestDefaults(t *testing.T) {
	opt := sinktest.Set(t, new(null.Options))
	if opt.MaxEvents() != 100 || opt.LogEveryNEvents != 10000 {
		t.Errorf("got %+v; want Flume's 100 and 10000", *opt)
	}
}

func TestLogEveryNEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx := zerolog.New(&out).WithContext(component.WithName(t.Context(), "k1"))
		s, err := (&null.Options{BatchSize: 100, LogEveryNEvents: 10}).Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, step := range []struct {
			events int
			wait   time.Duration
			want   string
		}{
			{events: 9},
			{events: 1, want: "Null sink k1 successful processed 10 events."},
			{events: 10}, // within the second
			{events: 25, wait: time.Second, want: "Null sink k1 successful processed 40 events."},
			{events: 4, wait: time.Hour},
			{events: 1, want: "Null sink k1 successful processed 50 events."},
		} {
			time.Sleep(step.wait) // fake time
			out.Reset()
			write(t, s, step.events)
			if got := out.String(); !strings.Contains(got, step.want) || (step.want == "" && got != "") {
				t.Errorf("after %+v: got %q", step, got)
			}
		}
	})
}

func write(t *testing.T, s sink.Sink, n int) {
	var b event.Batch
	for range n {
		b.Append(event.Event{})
	}
	if err := s.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	sinktest.Benchmark(b, sinktest.Set(b, new(null.Options)))
}
