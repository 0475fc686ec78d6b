// Package channeltest states the promises that every channel keeps. A channel's
// own test calls Run.
package channeltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
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

func batch(bodies ...string) *event.Batch {
	b := new(event.Batch)
	for _, body := range bodies {
		b.Append(event.Event{Body: []byte(body)})
	}
	return b
}

func bodies(b *event.Batch) string {
	var all []string
	for e := range b.All() {
		all = append(all, string(e.Body))
	}
	return strings.Join(all, " ")
}

func begin(p channel.Putter, b *event.Batch, wait bool) <-chan error {
	done := make(chan error, 1)
	p.Put(b, wait, func(err error) { done <- err })
	return done
}

func put(t *testing.T, p channel.Putter, bodies ...string) {
	t.Helper()
	if err := <-begin(p, batch(bodies...), true); err != nil {
		t.Fatalf("put of %q: %v", bodies, err)
	}
}

func take(t *testing.T, from channel.Taker, want string) channel.Take {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := from.Take(ctx)
	if err != nil {
		t.Fatalf("taking %q: %v", want, err)
	}
	if text := bodies(got.Batch()); text != want {
		t.Fatalf("took %q; want %q", text, want)
	}
	return got
}

func commit(t *testing.T, takes ...channel.Take) {
	t.Helper()
	for _, take := range takes {
		if err := take.Commit(); err != nil {
			t.Fatalf("Commit: %v", err)
		}
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
		put(t, p, fmt.Sprint(i), "and")
	}
	wantHeld(t, c, 60)
	for i := range 30 {
		commit(t, take(t, taker, fmt.Sprint(i)+" and"))
	}
	wantHeld(t, c, 0)
}

func returned(t *testing.T, s Subject) {
	c := s.open(t, 100, 1)
	p, taker := c.Putter(), c.Taker()
	for _, body := range []string{"a", "b", "c", "d"} {
		put(t, p, body)
	}
	a, b, third := take(t, taker, "a"), take(t, taker, "b"), take(t, taker, "c")
	third.Return()
	a.Return()
	a = take(t, taker, "a")
	commit(t, b, a)
	commit(t, take(t, taker, "c"), take(t, taker, "d"))
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
		put(t, p, body)
	}
	commit(t, take(t, first, "a"))
	lost := take(t, first, "b")
	kept := take(t, second, "c")
	first.Close()
	if err := lost.Commit(); err == nil {
		t.Error("a closed taker's take was committed")
	}
	if _, err := first.Take(t.Context()); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a closed taker's Take: got %v; want %v", err, channel.ErrClosed)
	}
	commit(t, take(t, second, "b"), kept, take(t, second, "d"))
}

func capacity(t *testing.T, s Subject) {
	if s.InMessages {
		t.Skip("its capacity is not in events")
	}
	c := s.open(t, 10, 5)
	p, taker := c.Putter(), c.Taker()
	put(t, p, "1", "2", "3", "4", "5")
	put(t, p, "6", "7", "8", "9")
	refused := func(bodies ...string) {
		t.Helper()
		began := time.Now()
		err := <-begin(p, batch(bodies...), false)
		if !errors.Is(err, channel.ErrFull) || err.Error() != s.Full {
			t.Errorf("put of %q: got %v; want %s", bodies, err, s.Full)
		}
		if waited := time.Since(began); waited < keepAlive {
			t.Errorf("put of %q was refused after %v; want %v", bodies, waited, keepAlive)
		}
	}
	refused("10", "11")
	put(t, p, "10")
	wantHeld(t, c, 10)
	refused("11")
	five := take(t, taker, "1 2 3 4 5")
	refused("11") // taken, but not committed
	commit(t, five)
	put(t, p, "11", "12", "13", "14", "15")
	refused("16")
	wantHeld(t, c, 10)
}

func patient(t *testing.T, s Subject) {
	if s.InMessages {
		t.Skip("its capacity is not in events")
	}
	c := s.open(t, 2, 2)
	p, taker := c.Putter(), c.Taker()
	put(t, p, "a", "b")
	second, third := begin(p, batch("c", "d"), true), begin(c.Putter(), batch("e"), true)
	if err := <-begin(p, batch("f"), false); !errors.Is(err, channel.ErrFull) {
		t.Errorf("an impatient put behind them: got %v; want %v", err, channel.ErrFull)
	}
	commit(t, take(t, taker, "a b"))
	if err := <-second; err != nil {
		t.Error(err)
	}
	select {
	case err := <-third:
		t.Errorf("a put came in where there was no room for it: %v", err)
	default:
	}
	commit(t, take(t, taker, "c d"))
	if err := <-third; err != nil {
		t.Error(err)
	}
	commit(t, take(t, taker, "e"))
}

func closedPutter(t *testing.T, s Subject) {
	c := s.open(t, 1, 1)
	gone, stays := c.Putter(), c.Putter()
	put(t, gone, "a")
	given := begin(gone, batch("b"), true)
	waiting := begin(stays, batch("c"), true)
	gone.Close()
	if err := <-given; !errors.Is(err, channel.ErrClosed) {
		t.Errorf("got %v; want %v", err, channel.ErrClosed)
	}
	if err := <-begin(gone, batch("d"), true); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a put of a closed putter: got %v; want %v", err, channel.ErrClosed)
	}
	taker := c.Taker()
	commit(t, take(t, taker, "a"))
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	commit(t, take(t, taker, "c"))
}

func tooLarge(t *testing.T, s Subject) {
	c := s.open(t, 3, 2)
	p := c.Putter()
	for _, wait := range []bool{false, true} {
		if err := <-begin(p, batch("a", "b", "c"), wait); !errors.Is(err, channel.ErrTooLarge) {
			t.Errorf("3 events where a transaction has 2: got %v; want %v", err, channel.ErrTooLarge)
		}
	}
	if err := <-begin(p, batch(), false); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
	wantHeld(t, c, 0)
}

func last(t *testing.T, s Subject) {
	c := s.open(t, 10, 1)
	p, other, taker := c.Putter(), c.Taker(), c.Taker()
	taker.Last()
	put(t, p, "a")
	put(t, p, "b")
	held := take(t, other, "a")
	commit(t, take(t, taker, "b"))
	got := make(chan string, 1)
	go func() {
		switch take, err := taker.Take(t.Context()); {
		case err != nil:
			got <- err.Error()
		default:
			got <- bodies(take.Batch())
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
	put(t, p, "a")
	waiting := begin(p, batch("b"), true)
	a := take(t, taker, "a")
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
		"a put":             <-begin(p, batch("c"), true),
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
		put(t, p, body, body)
	}
	first := take(t, taker, "a a")
	commit(t, take(t, taker, "b b"))
	third := take(t, taker, "c c")
	commit(t, take(t, taker, "d d"))
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
	put(t, p, "f")
	for _, want := range []string{"a a", "c c", "e e", "f"} {
		commit(t, take(t, taker, want))
	}
	wantHeld(t, c, 0)
	shut(t, c)
	c = s.Open(t, dir, 100, 2, keepAlive)
	wantHeld(t, c, 0)
	put(t, c.Putter(), "g")
	commit(t, take(t, c.Taker(), "g"))
	shut(t, c)
}
