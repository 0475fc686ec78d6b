package msgblock

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkScan reads stores that are in the page cache.
func BenchmarkScan(b *testing.B) {
	for _, m := range modes {
		for _, size := range []int{1 << 10, 20 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%dkB", m.name, size>>10), func(b *testing.B) {
				store := b.TempDir()
				s := serve(b, store, m)
				s.put(b, 64<<20/size, rand.New(rand.NewPCG(1, 1)), map[uint64][]byte{}, func(*rand.Rand) int { return size })
				s.close()
				b.SetBytes(64 << 20)
				for b.Loop() {
					r, err := Scan(b.Context(), streamDir(store), m.options())
					if err != nil || !r.Whole() {
						b.Fatal(r, err)
					}
				}
			})
		}
	}
}
