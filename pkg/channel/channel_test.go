package channel_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/memory"
	"github.com/flumekit/flumekit/pkg/event"
)

// counted is a store that counts its appends.
type counted struct {
	channel.Store
	appends atomic.Int64
}

func (s *counted) open(ctx context.Context, conf channel.StoreConfig) (store channel.Store, err error) {
	open := embedded.Open
	if conf.Dir == "" {
		open = memory.OpenStore
	}
	s.Store, err = open(ctx, conf)
	return s, err
}

func (s *counted) openRemover(ctx context.Context, conf channel.StoreConfig) (channel.Store, error) {
	_, err := s.open(ctx, conf)
	return s.Store, err
}

func (s *counted) Append(ctx context.Context, data []byte, totals channel.Totals) (uint64, error) {
	s.appends.Add(1)
	return s.Store.Append(ctx, data, totals)
}

var limits = channel.Limits{
	Events:      1_000_000,
	Transaction: 10_000,
	KeepAlive:   50 * time.Millisecond,
	Texts:       channel.Texts{Full: "full of events", FullBytes: "full of bytes", TooMany: "too many"},
}

// openAt opens a channel in dir, in memory if that is "".
func openAt(t testing.TB, dir string, limits channel.Limits) (*channel.Queue, *counted) {
	t.Helper()
	conf := channel.Config{Limits: limits, TrimBytes: 4 << 20}
	if dir != "" {
		conf.Dir, conf.TrimBytes = lock(t, dir), 64<<20
	}
	store := new(counted)
	c, err := channel.OpenQueue(t.Context(), store.open, conf)
	if err != nil {
		t.Fatal(err)
	}
	return c, store
}

func lock(t testing.TB, path string) *channel.Dir {
	t.Helper()
	dir, err := channel.LockDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func storeDir(dir string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "store")
}

func open(t testing.TB, dir string, limits channel.Limits) (*channel.Queue, *counted) {
	c, store := openAt(t, dir, limits)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, store
}

func shut(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// put commits b and returns the reason if it was refused.
func put(p channel.Putter, b *event.Batch, wait bool) error {
	return <-channeltest.Begin(p, b, wait)
}

func TestGroupCommit(t *testing.T) {
	c, store := open(t, t.TempDir(), limits)
	const putters, each = 100, 20
	var all sync.WaitGroup
	for i := range putters {
		all.Go(func() {
			p := c.Putter()
			defer p.Close()
			for j := range each {
				if err := put(p, channeltest.Batch(fmt.Sprintf("%d.%d", i, j)), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	appends := store.appends.Load()
	if appends*10 > putters*each {
		t.Errorf("%d puts took %d appends; want a tenth or fewer", putters*each, appends)
	}
	taker := c.Taker()
	defer taker.Close()
	next := make(map[string]int)
	for n := 0; n < putters*each; {
		got := channeltest.Next(t, taker)
		for e := range got.Batch().All() {
			who, number, _ := strings.Cut(string(e.Body), ".")
			if want := fmt.Sprint(next[who]); number != want {
				t.Fatalf("putter %s: took put %s; want %s", who, number, want)
			}
			next[who]++
			n++
		}
		channeltest.Commit(t, got)
	}
	if c.Len() != 0 || c.Bytes() != 0 {
		t.Errorf("%d events and %d bytes are left; want none", c.Len(), c.Bytes())
	}
}

func TestBacklogIsReadInOrder(t *testing.T) {
	dir := t.TempDir()
	c, _ := openAt(t, dir, limits)
	p := c.Putter()
	const puts = 300
	body := strings.Repeat("x", 100_000) // 30 MB, far more than is kept in memory
	for i := range puts {
		if err := put(p, channeltest.Batch(fmt.Sprint(i, body)), true); err != nil {
			t.Fatal(err)
		}
	}
	taker := c.Taker()
	for i := range puts / 3 {
		channeltest.Commit(t, channeltest.Take(t, taker, fmt.Sprint(i, body)))
	}
	shut(t, c)
	c, _ = open(t, dir, limits)
	if c.Len() != puts-puts/3 {
		t.Errorf("holds %d events after it was opened again; want %d", c.Len(), puts-puts/3)
	}
	taker = c.Taker()
	defer taker.Close()
	taker.Last()
	for i := puts / 3; i < puts; i++ {
		channeltest.Commit(t, channeltest.Take(t, taker, fmt.Sprint(i, body)))
	}
	if _, err := taker.Take(t.Context()); err != io.EOF {
		t.Errorf("got %v; want io.EOF", err)
	}
}

func TestOpenRefusesAStoreThatEndsTooEarly(t *testing.T) {
	dir := t.TempDir()
	c, _ := openAt(t, dir, limits)
	for i := range 3 {
		if err := put(c.Putter(), channeltest.Batch("a", fmt.Sprint(i)), true); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, c)
	if err := os.RemoveAll(storeDir(dir)); err != nil {
		t.Fatal(err)
	}
	_, err := channel.OpenQueue(t.Context(), embedded.Open, channel.Config{Limits: limits, Dir: lock(t, dir)})
	want := "the store is damaged: it ends at message 0, but 3 were committed: messages 1 to 3, which held 6 events, are missing"
	if err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestOpenGoesOnWithoutWhatItMayLose(t *testing.T) {
	dir := t.TempDir()
	c, _ := openAt(t, dir, limits)
	for i := range 3 {
		if err := put(c.Putter(), channeltest.Batch("old", fmt.Sprint(i)), true); err != nil {
			t.Fatal(err)
		}
	}
	taker := c.Taker()
	channeltest.Commit(t, channeltest.Take(t, taker, "old 0"))
	shut(t, c)
	if err := os.RemoveAll(storeDir(dir)); err != nil {
		t.Fatal(err)
	}
	c, err := channel.OpenQueue(t.Context(), embedded.Open, channel.Config{Limits: limits, Dir: lock(t, dir), MayLose: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Len() != 0 {
		t.Errorf("holds %d events; want none", c.Len())
	}
	if err := put(c.Putter(), channeltest.Batch("new"), true); err != nil {
		t.Fatal(err)
	}
	channeltest.Commit(t, channeltest.Take(t, c.Taker(), "new"))
}

// TestStuckTakerDoesNotPileUpMemory has one taker hold the first message while
// another takes a great deal: what it took must leave the store.
func TestStuckTakerDoesNotPileUpMemory(t *testing.T) {
	store := new(counted)
	c, err := channel.OpenQueue(t.Context(), store.openRemover, channel.Config{Limits: limits, TrimBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, stuck, taker := c.Putter(), c.Taker(), c.Taker()
	if err := put(p, channeltest.Batch("stuck"), true); err != nil {
		t.Fatal(err)
	}
	held := channeltest.Take(t, stuck, "stuck")
	body := strings.Repeat("x", 10_000)
	for range 100 {
		if err := put(p, channeltest.Batch(body), true); err != nil {
			t.Fatal(err)
		}
		channeltest.Commit(t, channeltest.Take(t, taker, body))
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		left, err := store.Read(t.Context(), 1, 100<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) < 15 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are in the store; want the stuck one and a few", len(left))
		}
	}
	stuck.Close()
	if channeltest.Commit(t, channeltest.Take(t, taker, "stuck")); held.Commit() == nil {
		t.Error("the closed taker's take was committed")
	}
}
