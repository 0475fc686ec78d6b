package channel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/memory"
	"github.com/flumekit/flumekit/pkg/event"
)

func openSpill(t testing.TB, dir string, inMemory, onDisk channel.Limits) *channel.Spill {
	t.Helper()
	conf := channel.SpillConfig{
		Memory:     channel.Config{Limits: inMemory, TrimBytes: 10_000},
		OpenMemory: memory.OpenStore,
		Disk:       channel.Config{Limits: onDisk, Dir: lock(t, dir), TrimBytes: 10_000},
		OpenDisk:   embedded.Open,
	}
	// Not synced: what a killed process leaves is what the kernel has.
	conf.Disk.Store.SyncInterval = time.Minute
	s, err := channel.OpenSpill(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func few(events, transaction int, keepAlive time.Duration) channel.Limits {
	return channel.Limits{Events: events, Transaction: transaction, KeepAlive: keepAlive,
		Texts: channel.Texts{Full: "full", FullBytes: "full of bytes", TooMany: "too many"}}
}

// spillModel is a Spill. What has gone to disk is still there after a crash.
type spillModel struct{ model[*channel.Spill] }

const memoryHolds, diskHolds, transactionHolds = 8, 30, 10

func (m *spillModel) openSpill(dir string) *channel.Spill {
	return openSpill(m.t, dir, few(memoryHolds, transactionHolds, 0), few(diskHolds, transactionHolds, 0))
}

// held returns how many events are in memory and on disk.
func (m *spillModel) held() (inMemory, onDisk int) {
	for _, b := range m.batches {
		if b.inMemory {
			inMemory += b.n
		} else {
			onDisk += b.n
		}
	}
	return inMemory, onDisk
}

func (m *spillModel) Put(t *rapid.T) {
	b := m.batch(t, transactionHolds)
	enc, n := bytes.Clone(b.Encoded()), b.Len()
	inMemory, onDisk := m.held()
	spilt := onDisk > 0 || inMemory+n > memoryHolds
	err := put(m.put, b, false)
	m.real.Settle()
	switch {
	case spilt && onDisk+n > diskHolds:
		if !errors.Is(err, channel.ErrFull) {
			t.Fatalf("put of %d events beside %d on disk: got %v; want %v", n, onDisk, err, channel.ErrFull)
		}
	case err != nil:
		t.Fatalf("put of %d events beside %d in memory and %d on disk: %v", n, inMemory, onDisk, err)
	default:
		m.batches = append(m.batches, &modelled{enc: enc, n: n, inMemory: !spilt})
	}
}

func (m *spillModel) Purge(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
		t.Skip("not now")
	}
	m.model.Purge(t)
}

// Check compares what is held, and what can be seen of it.
func (m *spillModel) Check(t *rapid.T) {
	inMemory, onDisk := m.held()
	if got := m.real.Len(); got != inMemory+onDisk {
		t.Fatalf("holds %d events; want %d in memory and %d on disk", got, inMemory, onDisk)
	}
	if got := m.real.Fleeting(); got != inMemory {
		t.Fatalf("holds %d events in memory; want %d", got, inMemory)
	}
	stat, err := m.real.Stat(m.t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := int(stat.Held.Events); got != inMemory+onDisk {
		t.Fatalf("Stat says %d events; want %d", got, inMemory+onDisk)
	}
	last := rapid.IntRange(0, inMemory+onDisk).Draw(t, "last")
	var shown, want []byte
	for s, err := range m.real.Browse(m.t.Context(), channel.Span{Last: last}) {
		if err != nil {
			t.Fatal(err)
		}
		for e := range s.Batch.All() {
			shown = append(shown, e.Body...)
		}
	}
	for _, b := range m.batches {
		batch := new(event.Batch)
		if err := batch.Decode(b.enc); err != nil {
			t.Fatal(err)
		}
		for e := range batch.All() {
			want = append(want, e.Body...)
		}
	}
	if last > 0 && !bytes.HasSuffix(want, shown) || last == 0 && !bytes.Equal(want, shown) || len(want) > 0 && len(shown) == 0 {
		t.Fatalf("the last %d are shown as %.40q; want the end of %.40q", last, shown, want)
	}
}

func TestSpillIsASlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := new(spillModel)
		m.t, m.dir, m.open = t, t.TempDir(), m.openSpill
		m.start()
		defer m.close()
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.Put, "put 2": m.Put, "put 3": m.Put, "take": m.Take, "take 2": m.Take, "take 3": m.Take,
			"commit": m.Commit, "commit 2": m.Commit, "commit 3": m.Commit,
			"return": m.Return, "disconnect": m.Disconnect, "purge": m.Purge, "restart": m.Restart, "crash": m.Crash, "": m.Check,
		})
	})
}

// Several putters have several batches under way, and several takers return some of
// what they take, while the channel spills and goes back to memory over and over.
func TestSpillKeepsTheOrderOfEachPutter(t *testing.T) {
	const putters, batches, window, burst = 4, 2000, 20, 25
	c := openSpill(t, t.TempDir(), few(20, 3, 0), few(100, 3, 0))
	var work sync.WaitGroup
	var arrived [putters]chan bool // a burst
	for which := range putters {
		p := c.Putter()
		arrived[which] = make(chan bool, 1)
		work.Go(func() {
			var mu sync.Mutex
			next := 0
			var under sync.WaitGroup
			room := make(chan struct{}, window)
			for n := range batches {
				if n > 0 && n%burst == 0 {
					<-arrived[which]
				}
				room <- struct{}{}
				under.Add(1)
				p.Put(channeltest.Batch(fmt.Sprintf("%d.%d", which, n)), true, func(err error) {
					defer under.Done()
					mu.Lock()
					if err != nil || n != next {
						t.Errorf("putter %d: %d is done, after %d: %v", which, n, next-1, err)
					}
					next++
					mu.Unlock()
					<-room
				})
			}
			under.Wait()
		})
	}
	taker := c.Taker()
	spilt := false
	var last [putters]int
	for taken := 0; taken < putters*batches; {
		spilt = spilt || c.Len() > c.Fleeting()
		first := channeltest.Next(t, taker)
		if taken%7 == 0 { // it comes again, before all others
			want := first.Batch()
			first.Return()
			if first = channeltest.Next(t, taker); !bytes.Equal(first.Batch().Encoded(), want.Encoded()) {
				t.Fatalf("took %q after %q was returned", channeltest.Bodies(first.Batch()), channeltest.Bodies(want))
			}
		}
		for body := range strings.FieldsSeq(channeltest.Bodies(first.Batch())) {
			var which, n int
			fmt.Sscanf(body, "%d.%d", &which, &n)
			if n != last[which] {
				t.Fatalf("putter %d: took %d; want %d", which, n, last[which])
			}
			last[which]++
			taken++
			if last[which]%burst == 0 && last[which] < batches {
				arrived[which] <- true
			}
		}
		channeltest.Commit(t, first)
	}
	work.Wait()
	if !spilt {
		t.Error("it has never spilt")
	}
	c.Settle() // until then the disk counts as used
	if err := put(c.Putter(), channeltest.Batch("last"), true); err != nil {
		t.Fatal(err)
	}
	if got := c.Fleeting(); got != 1 {
		t.Errorf("%d events are in memory after all was taken; want the one that was put then", got)
	}
	channeltest.Commit(t, channeltest.Take(t, taker, "last"))
	taker.Last()
	if _, err := taker.Take(t.Context()); err != io.EOF {
		t.Errorf("at the end: got %v; want io.EOF", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestSpillWaitsForMemoryFirst(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		taken   bool // before that
		want    int  // events in memory, of those that follow the first
	}{
		{"and spills all that waits when that takes too long", 50 * time.Millisecond, false, 0},
		{"and has room there when something is taken", time.Hour, true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := openSpill(t, t.TempDir(), few(2, 2, tt.timeout), few(10, 2, 0))
			defer c.Close()
			p, taker := c.Putter(), c.Taker()
			if err := put(p, channeltest.Batch("a", "a"), false); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			done := make(chan error, 2)
			for _, body := range []string{"b", "c"} {
				p.Put(channeltest.Batch(body), body == "c", func(err error) { done <- err })
			}
			select {
			case err := <-done:
				t.Fatalf("a put that waits for memory is done: %v", err)
			default:
			}
			first := 2
			if tt.taken {
				channeltest.Commit(t, channeltest.Next(t, taker))
				first = 0
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			if waited := time.Since(began); !tt.taken && waited < tt.timeout {
				t.Errorf("spilt after %v; want %v", waited, tt.timeout)
			}
			if got := c.Fleeting() - first; got != tt.want {
				t.Errorf("%d of the two are in memory; want %d", got, tt.want)
			}
		})
	}
}

func TestSpillRefusesWhenTheDiskIsFull(t *testing.T) {
	const timeout = 150 * time.Millisecond
	c := openSpill(t, t.TempDir(), few(1, 1, timeout), few(1, 1, timeout))
	defer c.Close()
	p := c.Putter()
	for _, body := range []string{"a", "b"} {
		if err := put(p, channeltest.Batch(body), false); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if err := put(p, channeltest.Batch("c"), false); !errors.Is(err, channel.ErrFull) || err.Error() != "full" {
		t.Errorf("got %v; want full", err)
	}
	if waited := time.Since(began); waited < timeout {
		t.Errorf("refused after %v; want %v", waited, timeout)
	}
	// The disk is drained, but memory is not used before it is empty.
	taker := c.Taker()
	channeltest.Commit(t, channeltest.Next(t, taker))
	patient := make(chan error, 1)
	p.Put(channeltest.Batch("d"), true, func(err error) { patient <- err })
	select {
	case err := <-patient:
		t.Fatalf("a put came in beside a full disk: %v", err)
	default:
	}
	channeltest.Commit(t, channeltest.Next(t, taker))
	if err := <-patient; err != nil {
		t.Fatal(err)
	}
	if got := c.Fleeting(); got != 1 {
		t.Errorf("%d events in memory; want 1", got)
	}
}

// A disk with too little space takes nothing, but no longer than it takes to drain
// memory.
func TestSpillWithoutSpace(t *testing.T) {
	full := few(10, 1, 0)
	full.Space = func() error { return errors.New("the disk is full") }
	c := openSpill(t, t.TempDir(), few(1, 1, 0), full)
	defer c.Close()
	p, taker := c.Putter(), c.Taker()
	if err := put(p, channeltest.Batch("a"), false); err != nil {
		t.Fatal(err)
	}
	if err := put(p, channeltest.Batch("b"), false); !errors.Is(err, channel.ErrFull) || err.Error() != "the disk is full" {
		t.Errorf("got %v; want the disk is full", err)
	}
	done := make(chan error, 2)
	for _, body := range []string{"c", "d"} {
		p.Put(channeltest.Batch(body), true, func(err error) { done <- err })
	}
	for _, want := range []string{"a", "c", "d"} {
		next := channeltest.Next(t, taker)
		if got := channeltest.Bodies(next.Batch()); got != want {
			t.Fatalf("took %s; want %s", got, want)
		}
		channeltest.Commit(t, next)
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
