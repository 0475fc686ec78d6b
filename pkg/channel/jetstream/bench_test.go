package jetstream_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// BenchmarkThrough measures events through a server in a process of its own,
// from some putters to one taker, 200 bytes each.
func BenchmarkThrough(b *testing.B) {
	for _, bm := range []struct{ putters, each, window int }{
		{1, 1000, 16}, {1, 100, 64}, {100, 1, 1}, {1, 1, 1},
	} {
		b.Run(fmt.Sprintf("putters=%d/batch=%d", bm.putters, bm.each), func(b *testing.B) {
			nodeDir := b.TempDir()
			conf := nodeConfig{Name: "n", Dir: nodeDir, Port: freePort(b)}
			conf.launch(b)
			o := options(fmt.Sprintf("nats://127.0.0.1:%d", conf.Port))
			o.MaxBytes = -1
			puts, takes := open(b, o), open(b, o)
			body := bytes.Repeat([]byte("x"), 200)
			var work sync.WaitGroup
			b.ResetTimer()
			for i := range bm.putters {
				work.Go(func() {
					p, room := puts.Putter(), make(chan struct{}, bm.window)
					for n := i * bm.each; n < b.N; n += bm.putters * bm.each {
						batch := new(event.Batch)
						for range min(bm.each, b.N-n) {
							batch.Append(event.Event{Body: body})
						}
						room <- struct{}{}
						p.Put(batch, true, func(err error) {
							if err != nil {
								b.Error(err)
							}
							<-room
						})
					}
					for range cap(room) {
						room <- struct{}{}
					}
				})
			}
			done := make(chan struct{})
			go func() {
				work.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
				close(done)
			}()
			taker := takes.Taker()
			commits := make(chan struct{}, 64)
			for got := 0; got < b.N; {
				take, err := taker.Take(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				got += take.Batch().Len()
				commits <- struct{}{}
				go func(take channel.Take) {
					if err := take.Commit(); err != nil {
						b.Error(err)
					}
					<-commits
				}(take)
			}
			for range cap(commits) {
				commits <- struct{}{}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			<-done
		})
	}
}
