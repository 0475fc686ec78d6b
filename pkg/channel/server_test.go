package channel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// serveAt serves a channel in memory and returns its address.
func serveAt(t *testing.T, limits channel.Limits) (*channel.Queue, *channel.Server, string) {
	t.Helper()
	c, _ := open(t, "", limits)
	path := filepath.Join(t.TempDir(), "s")
	server, err := channel.Listen(t.Context(), c, path, "c1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return c, server, "unix:" + path
}

func dialPut(t *testing.T, addr string) *stream.Writer {
	t.Helper()
	w, err := stream.DialPut(t.Context(), addr, "r1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Abort(stream.ErrClosed) })
	return w
}

func dialTake(t *testing.T, addr string, once bool, bounds stream.Bounds) *stream.Reader {
	t.Helper()
	r, err := stream.DialTake(t.Context(), addr, "k1", once, bounds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func next(t *testing.T, r *stream.Reader, want string) *stream.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, err := r.Next(ctx)
	if err != nil {
		t.Fatalf("waiting for %q: %v", want, err)
	}
	if got := channeltest.Bodies(d.Batch); got != want {
		t.Fatalf("got %q; want %q", got, want)
	}
	return d
}

func TestServerTellsItsLimits(t *testing.T) {
	few := limits
	few.Transaction = 7
	_, _, addr := serveAt(t, few)
	if got := dialPut(t, addr).Bounds(); got.MaxEvents != 7 || got.MaxBytes < 1<<20 {
		t.Errorf("a putter is told %+v; want 7 events", got)
	}
}

func TestServerPassesRefusalsOn(t *testing.T) {
	few := limits
	few.Events, few.Transaction = 2, 2
	_, _, addr := serveAt(t, few)
	w := dialPut(t, addr)
	if err := w.Send(channeltest.Batch("a", "b"), false).Wait(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		batch *event.Batch
		code  stream.Code
		text  string
	}{
		{channeltest.Batch("c"), stream.Full, "full of events"},
		{channeltest.Batch("c", "d", "e"), stream.TooLarge, "too many"},
	} {
		var refused *stream.Refused
		if err := w.Send(tt.batch, false).Wait(); !errors.As(err, &refused) || refused.Code != tt.code || refused.Text != tt.text {
			t.Errorf("got %#v; want %s: %s", err, tt.code, tt.text)
		}
	}
}

func TestServerGivesBackWhatALostTakerHad(t *testing.T) {
	c, _, addr := serveAt(t, limits)
	w := dialPut(t, addr)
	lost := dialTake(t, addr, false, stream.Bounds{})
	for i := range 3 {
		if err := w.Send(channeltest.Batch(fmt.Sprint(i)), true).Wait(); err != nil {
			t.Fatal(err)
		}
		d := next(t, lost, fmt.Sprint(i))
		if i == 0 {
			d.Commit()
		}
	}
	lost.Close()
	r := dialTake(t, addr, true, stream.Bounds{})
	next(t, r, "1").Commit()
	next(t, r, "2").Commit()
	if _, err := r.Next(t.Context()); err != io.EOF {
		t.Errorf("got %v; want io.EOF, for all is taken", err)
	}
	if c.Len() != 0 {
		t.Errorf("holds %d events; want none", c.Len())
	}
}

// slowCommit is a channel whose first taker takes "0" and "1" and is slow to commit,
// unless somebody else takes meanwhile.
type slowCommit struct {
	channel.Channel
	first             atomic.Bool // the first taker is there
	committing, taken chan struct{}
}

type slowTaker struct {
	channel.Taker
	c     *slowCommit
	takes int
}

type slowTake struct {
	channel.Take
	c *slowCommit
}

func (c *slowCommit) Taker() channel.Taker {
	if c.first.CompareAndSwap(false, true) {
		return &slowTaker{Taker: c.Channel.Taker(), c: c}
	}
	close(c.taken)
	return c.Channel.Taker()
}

func (t *slowTaker) Take(ctx context.Context) (channel.Take, error) {
	if t.takes++; t.takes > 2 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	take, err := t.Taker.Take(ctx)
	return slowTake{take, t.c}, err
}

func (t slowTake) Commit() error {
	close(t.c.committing)
	select {
	case <-t.c.taken:
	case <-time.After(100 * time.Millisecond):
	}
	return t.Take.Commit()
}

// TestServerGivesBackBeforeItServesTheNext has a taker gone while the server is busy
// with what it committed last, so that it cannot notice.
func TestServerGivesBackBeforeItServesTheNext(t *testing.T) {
	c, _ := open(t, "", limits)
	slow := &slowCommit{Channel: c, committing: make(chan struct{}), taken: make(chan struct{})}
	path := filepath.Join(t.TempDir(), "s")
	server, err := channel.Listen(t.Context(), slow, path, "c1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	putter := c.Putter()
	for _, body := range []string{"0", "1"} {
		if err := put(putter, channeltest.Batch(body), true); err != nil {
			t.Fatal(err)
		}
	}
	lost := dialTake(t, "unix:"+path, false, stream.Bounds{})
	next(t, lost, "0").Commit()
	next(t, lost, "1")
	<-slow.committing
	if err := put(putter, channeltest.Batch("2"), true); err != nil {
		t.Fatal(err)
	}
	lost.Close()
	r := dialTake(t, "unix:"+path, false, stream.Bounds{})
	next(t, r, "1").Commit()
	next(t, r, "2").Commit()
}

func TestServerCutsForAReaderOfLess(t *testing.T) {
	c, _, addr := serveAt(t, limits)
	if err := dialPut(t, addr).Send(channeltest.Batch("a", "b", "c", "d", "e"), true).Wait(); err != nil {
		t.Fatal(err)
	}
	r := dialTake(t, addr, true, stream.Bounds{MaxEvents: 2})
	first, second, third := next(t, r, "a b"), next(t, r, "c d"), next(t, r, "e")
	first.Commit()
	third.Commit()
	if c.Len() != 5 {
		t.Errorf("holds %d events while a part of the batch is not committed; want 5", c.Len())
	}
	second.Commit()
	if _, err := r.Next(t.Context()); err != io.EOF {
		t.Errorf("got %v; want io.EOF", err)
	}
}

func TestServerStopsPutsAndDrains(t *testing.T) {
	c, server, addr := serveAt(t, limits)
	w := dialPut(t, addr)
	r := dialTake(t, addr, false, stream.Bounds{})
	if err := w.Send(channeltest.Batch("a"), true).Wait(); err != nil {
		t.Fatal(err)
	}
	a := next(t, r, "a")
	server.StopPuts()
	receipt := w.Send(channeltest.Batch("b"), true)
	drained := make(chan bool, 1)
	go func() { drained <- c.Drain(t.Context()) }()
	a.Commit()
	if !<-drained {
		t.Error("it could not be drained, though its taker took all")
	}
	select {
	case <-receipt.Done():
		t.Errorf("a put after StopPuts was answered: %v", receipt.Wait())
	default:
	}
}

func TestDrainGivesUpWithoutATaker(t *testing.T) {
	c, _ := open(t, "", limits)
	if err := put(c.Putter(), channeltest.Batch("a"), true); err != nil {
		t.Fatal(err)
	}
	if c.Drain(t.Context()) {
		t.Error("a channel that nobody took anything from was drained")
	}
}

// TestFeedCutsWhatForeignProgramsPut has a patient writer that does not know the
// channel's limits.
func TestFeedCutsWhatForeignProgramsPut(t *testing.T) {
	few := limits
	few.Transaction = 2
	_, _, addr := serveAt(t, few)
	if err := dialPut(t, addr).Send(channeltest.Batch("a", "b", "c"), true).Wait(); err != nil {
		t.Fatal(err)
	}
	r := dialTake(t, addr, true, stream.Bounds{})
	next(t, r, "a b").Commit()
	next(t, r, "c").Commit()
}

// TestServerTellsALastTakerThatIsServed has the server end at the moment at which a
// last taker has everything: it must not wait for what never comes.
func TestServerTellsALastTakerThatIsServed(t *testing.T) {
	for range 30 {
		c, server, addr := serveAt(t, limits)
		if err := put(c.Putter(), channeltest.Batch("1"), true); err != nil {
			t.Fatal(err)
		}
		r := dialTake(t, addr, true, stream.Bounds{})
		next(t, r, "1").Commit()
		for c.Len() > 0 {
			runtime.Gosched()
		}
		server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := r.Next(ctx); err != io.EOF {
			t.Fatalf("got %v; want io.EOF", err)
		}
		cancel()
	}
}
