package channel_test

import (
	"bytes"
	"context"
	"errors"
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
	"github.com/flumekit/flumekit/pkg/channel/memory"
	"github.com/flumekit/flumekit/pkg/event"
)

// looker is what is asked, be it a channel or the access to one.
type looker interface {
	channel.Inspector
	channel.Browser
	channel.Purger
}

// lookers returns a channel in memory, and how it is asked by its own process and
// over its socket.
func lookers(t *testing.T, limits channel.Limits) (*channel.Queue, map[string]looker) {
	c, _, addr := serveAt(t, limits)
	access := channel.Dial(t.Context(), addr)
	t.Cleanup(func() { access.Close() })
	return c, map[string]looker{"itself": c, "over the socket": access}
}

// shown writes what is shown: each batch with its state.
func shown(t *testing.T, l channel.Browser, span channel.Span) string {
	t.Helper()
	var all []string
	for s, err := range l.Browse(t.Context(), span) {
		switch {
		case errors.Is(err, event.ErrMalformed):
			all = append(all, fmt.Sprintf("%d damaged", s.Seq))
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, fmt.Sprintf("%d %s: %s", s.Seq, s.State, channeltest.Bodies(s.Batch)))
		}
	}
	return strings.Join(all, ", ")
}

func TestStat(t *testing.T) {
	few := limits
	few.Events, few.Transaction = 6, 3
	c, all := lookers(t, few)
	began := time.Now().Add(-time.Second)
	for _, bodies := range [][]string{{"a", "b"}, {"c"}, {"d", "e", "f"}} {
		fillWith(t, c, bodies...)
	}
	taker, putter := c.Taker(), c.Putter()
	defer taker.Close()
	defer putter.Close()
	if err := channeltest.Next(t, taker).Commit(); err != nil {
		t.Fatal(err)
	}
	channeltest.Next(t, taker)
	putter.Put(channeltest.Batch("1", "2", "3"), true, func(error) {})
	for name, l := range all {
		s, err := l.Stat(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := fmt.Sprintf("held %d put %d taken %d hand %d/%d, putters %d takers %d waiting %d, capacity %d/%d",
			s.Held.Events, s.Put.Events, s.Taken.Events, s.InHand.Events, s.InHand.Batches,
			s.Putters, s.Takers, s.Waiting, s.Capacity.Events, s.Capacity.Transaction)
		want := "held 4 put 6 taken 2 hand 1/1, putters 1 takers 1 waiting 1, capacity 6/3"
		if got != want {
			t.Errorf("%s: got %s; want %s", name, got, want)
		}
		if s.Oldest == nil || s.Oldest.Before(began) || s.Oldest.After(time.Now()) {
			t.Errorf("%s: the oldest was put at %v; want just now", name, s.Oldest)
		}
		if s.Down != nil || s.Lost != nil {
			t.Errorf("%s: got %+v, %+v; want a store that works", name, s.Down, s.Lost)
		}
	}
}

// fillWith puts one batch.
func fillWith(t *testing.T, c channel.Channel, bodies ...string) {
	t.Helper()
	p := c.Putter()
	defer p.Close()
	if err := put(p, channeltest.Batch(bodies...), true); err != nil {
		t.Fatal(err)
	}
}

func TestBrowse(t *testing.T) {
	c, all := lookers(t, limits)
	began := time.Now().Add(-time.Minute)
	for _, bodies := range [][]string{{"a", "b"}, {"c"}, {"d", "e", "f"}, {"g"}, {"h", "i"}} {
		fillWith(t, c, bodies...)
	}
	taker := c.Taker()
	defer taker.Close()
	first, second, third := channeltest.Next(t, taker), channeltest.Next(t, taker), channeltest.Next(t, taker)
	if err := second.Commit(); err != nil {
		t.Fatal(err)
	}
	third.Return()
	for name, l := range all {
		for _, tt := range []struct {
			span channel.Span
			want string
		}{
			{channel.Span{}, "1 in hand: a b, 3 waiting: d e f, 4 waiting: g, 5 waiting: h i"},
			{channel.Span{Last: 1}, "5 waiting: i"},
			{channel.Span{Last: 2}, "5 waiting: h i"},
			{channel.Span{Last: 3}, "4 waiting: g, 5 waiting: h i"},
			{channel.Span{Last: 4}, "3 waiting: f, 4 waiting: g, 5 waiting: h i"},
			{channel.Span{Last: 6}, "3 waiting: d e f, 4 waiting: g, 5 waiting: h i"},
			{channel.Span{Last: 7}, "1 in hand: b, 3 waiting: d e f, 4 waiting: g, 5 waiting: h i"},
			{channel.Span{Last: 99}, "1 in hand: a b, 3 waiting: d e f, 4 waiting: g, 5 waiting: h i"},
			{channel.Span{Since: began}, "1 in hand: a b, 2 taken: c, 3 waiting: d e f, 4 waiting: g, 5 waiting: h i"},
			{channel.Span{Since: time.Now().Add(time.Hour)}, ""},
		} {
			if got := shown(t, l, tt.span); got != tt.want {
				t.Errorf("%s: %+v: got %s; want %s", name, tt.span, got, tt.want)
			}
		}
	}
	// Nobody has noticed.
	if got := channeltest.Bodies(channeltest.Next(t, taker).Batch()); got != "d e f" {
		t.Errorf("the next taken is %q; want d e f", got)
	}
	if err := first.Commit(); err != nil {
		t.Error(err)
	}
}

// TestBrowseGoesOn browses while everything is taken and trimmed.
func TestBrowseGoesOn(t *testing.T) {
	c, _ := open(t, "", limits)
	large := strings.Repeat("x", 200<<10)
	for range 40 {
		fillWith(t, c, large)
	}
	taker := c.Taker()
	defer taker.Close()
	seen := 0
	for s, err := range c.Browse(t.Context(), channel.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 1 {
			for range 40 {
				if err := channeltest.Next(t, taker).Commit(); err != nil {
					t.Fatal(err)
				}
			}
			fillWith(t, c, "later")
		}
		if channeltest.Bodies(s.Batch) == "later" {
			t.Error("what was put later is shown")
		}
	}
	if seen == 0 || seen > 40 {
		t.Errorf("%d batches were shown", seen)
	}
}

// spoilt is a store of which one message is damaged when it is read.
type spoilt struct {
	channel.Store
	seq uint64
}

func (s spoilt) Read(ctx context.Context, from uint64, most int) ([]channel.Message, error) {
	read, err := s.Store.Read(ctx, from, most)
	for i, m := range read {
		if m.Seq == s.seq {
			read[i].Data = bytes.Clone(m.Data)
			read[i].Data[len(m.Data)-1] ^= 1
		}
	}
	return read, err
}

func TestBrowseShowsDamage(t *testing.T) {
	store := spoilt{seq: 2}
	c, err := channel.OpenQueue(t.Context(), func(ctx context.Context, conf channel.StoreConfig) (_ channel.Store, err error) {
		store.Store, err = memory.OpenStore(ctx, conf)
		return store, err
	}, channel.Config{Limits: limits, TrimBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	server, err := channel.Listen(t.Context(), c, path, "c1")
	if err != nil {
		t.Fatal(err)
	}
	access := channel.Dial(t.Context(), "unix:"+path)
	t.Cleanup(func() {
		access.Close()
		server.Close()
		c.Close()
	})
	for _, body := range []string{"a", "b", "c"} {
		fillWith(t, c, body)
	}
	for name, l := range map[string]channel.Browser{"itself": c, "over the socket": access} {
		if got, want := shown(t, l, channel.Span{}), "1 waiting: a, 2 damaged, 3 waiting: c"; got != want {
			t.Errorf("%s: got %s; want %s", name, got, want)
		}
	}
}

func TestPurge(t *testing.T) {
	dir := t.TempDir()
	c, _ := open(t, dir, limits)
	for _, bodies := range [][]string{{"a", "b"}, {"c"}, {"d", "e", "f"}, {"g"}} {
		fillWith(t, c, bodies...)
	}
	taker := c.Taker()
	first, second := channeltest.Next(t, taker), channeltest.Next(t, taker)
	channeltest.Next(t, taker).Return()
	purged, err := c.Purge(t.Context())
	if err != nil || purged.Events != 4 {
		t.Fatalf("got %d events, %v; want the 4 that nobody has", purged.Events, err)
	}
	if c.Len() != 3 || c.Bytes() == 0 {
		t.Errorf("%d events are held; want the 3 in hand", c.Len())
	}
	fillWith(t, c, "later")
	if got := channeltest.Bodies(channeltest.Next(t, taker).Batch()); got != "later" {
		t.Errorf("got %q after the purge; want what was put later", got)
	}
	// The machine stops here: what it wrote is what there is.
	image := t.TempDir()
	if err := os.CopyFS(image, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	second.Return()
	if got := channeltest.Bodies(channeltest.Next(t, taker).Batch()); got != "c" {
		t.Errorf("got %q; want what was given back", got)
	}
	taker.Close()

	os.Remove(filepath.Join(image, "sock"))
	again, _ := open(t, image, limits)
	if got, want := shown(t, again, channel.Span{}), "1 waiting: a b, 2 waiting: c, 5 waiting: later"; got != want {
		t.Errorf("after a crash: got %s; want %s", got, want)
	}
	// Nobody has read again what those hold, and yet it is counted exactly.
	if purged, err := again.Purge(t.Context()); err != nil || purged.Events != 4 || again.Len() != 0 || again.Bytes() != 0 {
		t.Errorf("purged %d events, %v; %d events and %d bytes are left; want 4 and nothing", purged.Events, err, again.Len(), again.Bytes())
	}
}

// TestPurgeAmongOthers purges while events are put and taken: each is delivered, or
// purged, or held at the end.
func TestPurgeAmongOthers(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		t.Run(fmt.Sprintf("on disk is %t", dir != ""), func(t *testing.T) {
			small := limits
			small.Events = 200
			c, _ := open(t, dir, small)
			const putters, each = 4, 400
			var puts, takes sync.WaitGroup
			for range putters {
				puts.Go(func() {
					p := c.Putter()
					defer p.Close()
					for range each {
						done := make(chan error, 1)
						p.Put(channeltest.Batch("a", "b", "c"), true, func(err error) { done <- err })
						if err := <-done; err != nil {
							t.Error(err)
						}
					}
				})
			}
			var delivered, purged atomic.Int64
			purge := func() {
				n, err := c.Purge(t.Context())
				if err != nil {
					t.Error(err)
				}
				purged.Add(int64(n.Events))
			}
			for purged.Load() == 0 { // all are put only when some are taken too
				purge()
			}
			took := make(chan struct{}, 1) // since the last purge
			takers := make([]channel.Taker, 2)
			for i := range takers {
				takers[i] = c.Taker()
				takes.Go(func() {
					defer takers[i].Close()
					for n := 0; ; n++ {
						got, err := takers[i].Take(t.Context())
						if err == io.EOF {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
						if n%5 == 4 {
							got.Return()
							continue
						}
						events := got.Batch().Len()
						if err := got.Commit(); err != nil {
							t.Error(err)
						}
						delivered.Add(int64(events))
						select {
						case took <- struct{}{}:
						default:
						}
					}
				})
			}
			ended := make(chan struct{})
			go func() {
				puts.Wait()
				close(ended)
			}()
			for done := false; !done; {
				select {
				case <-ended:
					done = true
				case <-took:
				}
				purge()
			}
			for _, taker := range takers {
				taker.Last()
			}
			takes.Wait()
			if got := delivered.Load() + purged.Load(); got != putters*each*3 || c.Len() != 0 || c.Bytes() != 0 {
				t.Errorf("%d delivered and %d purged of %d; %d events and %d bytes are held", delivered.Load(), purged.Load(), putters*each*3, c.Len(), c.Bytes())
			}
			if delivered.Load() == 0 {
				t.Error("nothing was delivered")
			}
		})
	}
}

// mute is a channel that cannot be looked into.
type mute struct{ channel.Channel }

func TestChannelThatCannotBeAsked(t *testing.T) {
	c, _ := open(t, "", limits)
	path := filepath.Join(t.TempDir(), "s")
	server, err := channel.Listen(t.Context(), mute{c}, path, "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	access := channel.Dial(t.Context(), "unix:"+path)
	defer access.Close()
	_, statErr := access.Stat(t.Context())
	_, purgeErr := access.Purge(t.Context())
	var browseErr error
	for _, browseErr = range access.Browse(t.Context(), channel.Span{}) {
	}
	for what, err := range map[string]error{"tell how it is": statErr, "be purged": purgeErr, "be browsed": browseErr} {
		if err == nil || !strings.Contains(err.Error(), "this type of channel cannot "+what) {
			t.Errorf("got %v; want that it cannot %s", err, what)
		}
	}
}
