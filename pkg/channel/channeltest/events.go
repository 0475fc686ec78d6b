package channeltest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// Batch returns a batch of events that have these bodies and no headers.
func Batch(bodies ...string) *event.Batch {
	b := new(event.Batch)
	for _, body := range bodies {
		b.Append(event.Event{Body: []byte(body)})
	}
	return b
}

// Bodies returns the bodies of b's events, with blanks between them.
func Bodies(b *event.Batch) string {
	var all []string
	for e := range b.All() {
		all = append(all, string(e.Body))
	}
	return strings.Join(all, " ")
}

// Begin puts b, and returns where the result of that will come.
func Begin(p channel.Putter, b *event.Batch, wait bool) <-chan error {
	done := make(chan error, 1)
	p.Put(b, wait, func(err error) { done <- err })
	return done
}

// Put puts a batch of events that have these bodies, and waits until it is
// committed.
func Put(t testing.TB, p channel.Putter, bodies ...string) {
	t.Helper()
	if err := <-Begin(p, Batch(bodies...), true); err != nil {
		t.Fatalf("put of %q: %v", bodies, err)
	}
}

// Next takes what comes next.
func Next(t testing.TB, from channel.Taker) channel.Take {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	take, err := from.Take(ctx)
	if err != nil {
		t.Fatalf("Take: %v", err)
	}
	return take
}

// Take takes what comes next, whose Bodies must be these.
func Take(t testing.TB, from channel.Taker, bodies string) channel.Take {
	t.Helper()
	take := Next(t, from)
	if got := Bodies(take.Batch()); got != bodies {
		t.Fatalf("took %q; want %q", got, bodies)
	}
	return take
}

// Commit commits what was taken, in this order.
func Commit(t testing.TB, takes ...channel.Take) {
	t.Helper()
	for _, take := range takes {
		if err := take.Commit(); err != nil {
			t.Fatalf("Commit: %v", err)
		}
	}
}
