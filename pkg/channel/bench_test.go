package channel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/event"
)

// benchDir returns a directory on a disk that syncs mean something on.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(".", "bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func events(n int) *event.Batch {
	b := new(event.Batch)
	body := make([]byte, 200)
	for range n {
		b.Append(event.Event{Body: body})
	}
	b.Encoded()
	return b
}

func perSecond(b *testing.B, events int) {
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRawSync is the bar: the bytes written and synced, in the same
// batches, with nothing else done.
func BenchmarkRawSync(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, err := os.Create(filepath.Join(benchDir(b), "raw"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			enc := events(n).Encoded()
			for b.Loop() {
				if _, err := f.Write(enc); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, n)
		})
	}
}

// drain takes and commits all that is put until the benchmark is over.
func drain(b *testing.B, c channel.Channel) {
	taker := c.Taker()
	var done sync.WaitGroup
	done.Go(func() {
		for {
			take, err := taker.Take(b.Context())
			if err != nil {
				return
			}
			if err := take.Commit(); err != nil {
				return
			}
		}
	})
	b.Cleanup(func() {
		taker.Close()
		done.Wait()
	})
}

// BenchmarkPut is one putter that waits for each commit, beside a taker.
func BenchmarkPut(b *testing.B) {
	for _, kind := range []string{"memory", "file"} {
		for _, n := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				c := benchChannel(b, kind)
				p := c.Putter()
				for b.Loop() {
					if err := put(p, events(n), true); err != nil {
						b.Fatal(err)
					}
				}
				perSecond(b, n)
			})
		}
	}
}

func benchChannel(b *testing.B, kind string) channel.Channel {
	dir := ""
	if kind == "file" {
		dir = benchDir(b)
	}
	c, _ := open(b, dir, limits)
	drain(b, c)
	return c
}

// BenchmarkPutAhead is one putter with 16 batches under way, beside a taker.
func BenchmarkPutAhead(b *testing.B) {
	for _, kind := range []string{"memory", "file"} {
		for _, n := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				c := benchChannel(b, kind)
				p := c.Putter()
				room := make(chan struct{}, 16)
				for b.Loop() {
					room <- struct{}{}
					p.Put(events(n), true, func(err error) {
						if err != nil {
							b.Error(err)
						}
						<-room
					})
				}
				for range cap(room) {
					room <- struct{}{}
				}
				perSecond(b, n)
			})
		}
	}
}

// BenchmarkClients is many putters of single events, each waiting for its
// commit.
func BenchmarkClients(b *testing.B) {
	for _, clients := range []int{1, 100} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			c := benchChannel(b, "file")
			var all sync.WaitGroup
			left := make(chan struct{})
			for range clients {
				all.Go(func() {
					p := c.Putter()
					for range left {
						if err := put(p, events(1), true); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				left <- struct{}{}
			}
			close(left)
			all.Wait()
			perSecond(b, 1)
		})
	}
}

// BenchmarkBacklog takes what lies in the store only: a loop is a backlog of a
// million events, or of 20,000 messages.
func BenchmarkBacklog(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			messages := min(20_000, 1_000_000/n)
			alone := limits
			alone.Transaction = n // so that puts are not joined
			for range b.N {
				b.StopTimer()
				dir := benchDir(b)
				fill(b, dir, alone, messages, n)
				c, _ := openAt(b, dir, alone)
				b.StartTimer()
				taker := c.Taker()
				for range messages {
					channeltest.Commit(b, channeltest.Next(b, taker))
				}
				b.StopTimer()
				shut(b, c)
			}
			perSecond(b, messages*n)
		})
	}
}

func fill(b *testing.B, dir string, limits channel.Limits, messages, n int) {
	c, _ := openAt(b, dir, limits)
	p := c.Putter()
	var all []<-chan error
	for range messages {
		all = append(all, channeltest.Begin(p, events(n), true))
	}
	for _, done := range all {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	shut(b, c)
}
