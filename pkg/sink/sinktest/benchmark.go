package sinktest

import (
	"bytes"
	"testing"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/sink"
)

// Benchmark measures opt's sink with batches of 1,000 events of 200 bytes.
func Benchmark(b *testing.B, opt sink.Options) {
	s, err := opt.Open(Context(b))
	if err != nil {
		b.Fatal(err)
	}
	var batch event.Batch
	for range 1000 {
		batch.Append(event.Event{Body: bytes.Repeat([]byte("x"), 200)})
	}
	b.ReportAllocs()
	b.SetBytes(1000 * 200)
	for b.Loop() {
		if err := s.Write(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
