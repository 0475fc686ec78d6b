package embedded_test

import (
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// BenchmarkAppend is what an append costs where syncs cost nothing: a batch of
// 1,000 events of 200 bytes on its way into a block file.
func BenchmarkAppend(b *testing.B) {
	s, err := embedded.Open(b.Context(), conf(b, fastDir(b)))
	if err != nil {
		b.Fatal(err)
	}
	defer closed(b, s)
	data := batch(1, 200_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		seq, err := s.Append(b.Context(), data, channel.Totals{})
		if err != nil {
			b.Fatal(err)
		}
		if seq%1000 == 0 {
			if err := s.Trim(b.Context(), seq); err != nil {
				b.Fatal(err)
			}
		}
	}
}
