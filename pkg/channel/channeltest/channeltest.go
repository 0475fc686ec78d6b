// Package channeltest states the promises that every channel keeps. A channel's
// own test calls Run.
package channeltest

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/channel"
)

// Subject is a channel under test.
type Subject struct {
	// Open opens the channel that lives in dir (a directory of the test's,
	// the same each time a channel is opened again) with room for so many
	// events and, in one transaction, so many.
	Open func(t *testing.T, dir string, capacity, transaction int, keepAlive time.Duration) channel.Channel
	// Durable says that the channel's events outlive it.
	Durable bool
	// Full is what a putter is told when there is no room.
	Full string
	// InMessages says that the capacity counts messages, whatever number of
	// events is in each, because nobody knows that.
	InMessages bool
}

// keepAlive is how long impatient puts wait where they are to be refused.
const keepAlive = 30 * time.Millisecond

// Run checks all promises.
func Run(t *testing.T, s Subject) {
	t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
	for _, promise := range []struct {
		name string
		test func(*testing.T, Subject)
	}{
		{"hands out what was put, in order", order},
		{"hands out first what was returned", returned},
		{"gets back what a closed taker had", closedTaker},
		{"holds as many events as its capacity says", capacity},
		{"lets patient puts in as there is room, in their turn", patient},
		{"forgets what a closed putter had waiting", closedPutter},
		{"refuses what can never fit", tooLarge},
		{"ends for a last taker once all is committed", last},
		{"ends all waiting when it is closed", closed},
		{"keeps what was not taken for good", reopened},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.test(t, s) })
	}
}

func (s Subject) open(t *testing.T, capacity, transaction int) channel.Channel {
	t.Helper()
	c := s.Open(t, t.TempDir(), capacity, transaction, keepAlive)
	t.Cleanup(func() { shut(t, c) })
	return c
}

func shut(t *testing.T, c channel.Channel) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func wantHeld(t *testing.T, c channel.Channel, want int) {
	t.Helper()
	if got := c.Len(); got != want && got != -1 {
		t.Errorf("holds %d events; want %d", got, want)
	}
}

func order(t *testing.T, s Subject) {
	c := s.open(t, 100, 10)
	p, taker := c.Putter(), c.Taker()
	for i := range 30 {
		Put(t, p, fmt.Sprint(i), "and")
	}
	wantHeld(t, c, 60)
	for i := range 30 {
		Commit(t, Take(t, taker, fmt.Sprint(i)+" and"))
	}
	wantHeld(t, c, 0)
}

func returned(t *testing.T, s Subject) {
	c := s.open(t, 100, 1)
	p, taker := c.Putter(), c.Taker()
	for _, body := range []string{"a", "b", "c", "d"} {
		Put(t, p, body)
	}
	a, b, third := Take(t, taker, "a"), Take(t, taker, "b"), Take(t, taker, "c")
	third.Return()
	a.Return()
	a = Take(t, taker, "a")
	Commit(t, b, a)
	Commit(t, Take(t, taker, "c"), Take(t, taker, "d"))
	if err := b.Commit(); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a second Commit: got %v; want %v", err, channel.ErrClosed)
	}
	a.Return()
	wantHeld(t, c, 0)
}

func closedTaker(t *testing.T, s Subject) {
	c := s.open(t, 100, 1)
	p, first, second := c.Putter(), c.Taker(), c.Taker()
	for _, body := range []string{"a", "b", "c", "d"} {
		Put(t, p, body)
	}
	Commit(t, Take(t, first, "a"))
	lost := Take(t, first, "b")
	kept := Take(t, second, "c")
	first.Close()
	if err := lost.Commit(); err == nil {
		t.Error("a closed taker's take was committed")
	}
	if _, err := first.Take(t.Context()); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a closed taker's Take: got %v; want %v", err, channel.ErrClosed)
	}
	Commit(t, Take(t, second, "b"), kept, Take(t, second, "d"))
}

func capacity(t *testing.T, s Subject) {
	if s.InMessages {
		t.Skip("its capacity is not in events")
	}
	c := s.open(t, 10, 5)
	p, taker := c.Putter(), c.Taker()
	Put(t, p, "1", "2", "3", "4", "5")
	Put(t, p, "6", "7", "8", "9")
	refused := func(bodies ...string) {
		t.Helper()
		began := time.Now()
		err := <-Begin(p, Batch(bodies...), false)
		if !errors.Is(err, channel.ErrFull) || err.Error() != s.Full {
			t.Errorf("put of %q: got %v; want %s", bodies, err, s.Full)
		}
		if waited := time.Since(began); waited < keepAlive {
			t.Errorf("put of %q was refused after %v; want %v", bodies, waited, keepAlive)
		}
	}
	refused("10", "11")
	Put(t, p, "10")
	wantHeld(t, c, 10)
	refused("11")
	five := Take(t, taker, "1 2 3 4 5")
	refused("11") // taken, but not committed
	Commit(t, five)
	Put(t, p, "11", "12", "13", "14", "15")
	refused("16")
	wantHeld(t, c, 10)
}

func patient(t *testing.T, s Subject) {
	if s.InMessages {
		t.Skip("its capacity is not in events")
	}
	c := s.open(t, 2, 2)
	p, taker := c.Putter(), c.Taker()
	Put(t, p, "a", "b")
	second, third := Begin(p, Batch("c", "d"), true), Begin(c.Putter(), Batch("e"), true)
	if err := <-Begin(p, Batch("f"), false); !errors.Is(err, channel.ErrFull) {
		t.Errorf("an impatient put behind them: got %v; want %v", err, channel.ErrFull)
	}
	Commit(t, Take(t, taker, "a b"))
	if err := <-second; err != nil {
		t.Error(err)
	}
	select {
	case err := <-third:
		t.Errorf("a put came in where there was no room for it: %v", err)
	default:
	}
	Commit(t, Take(t, taker, "c d"))
	if err := <-third; err != nil {
		t.Error(err)
	}
	Commit(t, Take(t, taker, "e"))
}

func closedPutter(t *testing.T, s Subject) {
	c := s.open(t, 1, 1)
	gone, stays := c.Putter(), c.Putter()
	Put(t, gone, "a")
	given := Begin(gone, Batch("b"), true)
	waiting := Begin(stays, Batch("c"), true)
	gone.Close()
	if err := <-given; !errors.Is(err, channel.ErrClosed) {
		t.Errorf("got %v; want %v", err, channel.ErrClosed)
	}
	if err := <-Begin(gone, Batch("d"), true); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a put of a closed putter: got %v; want %v", err, channel.ErrClosed)
	}
	taker := c.Taker()
	Commit(t, Take(t, taker, "a"))
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	Commit(t, Take(t, taker, "c"))
}

func tooLarge(t *testing.T, s Subject) {
	c := s.open(t, 3, 2)
	p := c.Putter()
	for _, wait := range []bool{false, true} {
		if err := <-Begin(p, Batch("a", "b", "c"), wait); !errors.Is(err, channel.ErrTooLarge) {
			t.Errorf("3 events where a transaction has 2: got %v; want %v", err, channel.ErrTooLarge)
		}
	}
	if err := <-Begin(p, Batch(), false); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
	wantHeld(t, c, 0)
}

func last(t *testing.T, s Subject) {
	c := s.open(t, 10, 1)
	p, other, taker := c.Putter(), c.Taker(), c.Taker()
	taker.Last()
	Put(t, p, "a")
	Put(t, p, "b")
	held := Take(t, other, "a")
	Commit(t, Take(t, taker, "b"))
	got := make(chan string, 1)
	go func() {
		switch take, err := taker.Take(t.Context()); {
		case err != nil:
			got <- err.Error()
		default:
			got <- Bodies(take.Batch())
			take.Commit()
		}
	}()
	held.Return() // it may come back, so the last taker is not done
	if text := <-got; text != "a" {
		t.Errorf("the last taker got %q; want a", text)
	}
	if _, err := taker.Take(t.Context()); err != io.EOF {
		t.Errorf("at the end: got %v; want io.EOF", err)
	}
}

func closed(t *testing.T, s Subject) {
	c := s.open(t, 1, 1)
	p, taker := c.Putter(), c.Taker()
	Put(t, p, "a")
	waiting := Begin(p, Batch("b"), true)
	a := Take(t, taker, "a")
	taken := make(chan error, 1)
	go func() {
		_, err := taker.Take(t.Context())
		taken <- err
	}()
	shut(t, c)
	shut(t, c)
	for what, err := range map[string]error{
		"a put that waits":  <-waiting,
		"a take that waits": <-taken,
		"a put":             <-Begin(p, Batch("c"), true),
	} {
		if !errors.Is(err, channel.ErrClosed) {
			t.Errorf("%s: got %v; want %v", what, err, channel.ErrClosed)
		}
	}
	a.Return()
	taker.Close()
	p.Close()
}

func reopened(t *testing.T, s Subject) {
	if !s.Durable {
		t.Skip("its events end with it")
	}
	dir := t.TempDir()
	c := s.Open(t, dir, 100, 2, keepAlive)
	p, taker := c.Putter(), c.Taker()
	for _, body := range []string{"a", "b", "c", "d", "e"} {
		Put(t, p, body, body)
	}
	first := Take(t, taker, "a a")
	Commit(t, Take(t, taker, "b b"))
	third := Take(t, taker, "c c")
	Commit(t, Take(t, taker, "d d"))
	third.Return()
	shut(t, c)
	if err := first.Commit(); err == nil {
		t.Error("a take was committed after its channel was closed")
	}

	for range 2 { // what is opened and closed without use stays as it is
		c = s.Open(t, dir, 100, 2, keepAlive)
		wantHeld(t, c, 6)
		shut(t, c)
	}
	c = s.Open(t, dir, 100, 2, keepAlive)
	p, taker = c.Putter(), c.Taker()
	Put(t, p, "f")
	for _, want := range []string{"a a", "c c", "e e", "f"} {
		Commit(t, Take(t, taker, want))
	}
	wantHeld(t, c, 0)
	shut(t, c)
	c = s.Open(t, dir, 100, 2, keepAlive)
	wantHeld(t, c, 0)
	Put(t, c.Putter(), "g")
	Commit(t, Take(t, c.Taker(), "g"))
	shut(t, c)
}
