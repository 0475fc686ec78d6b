// Package sinktest states the promises that every sink keeps, and checks them
// on one sink. A sink's test is a Case and its own vectors:
//
//	func TestPromises(t *testing.T) {
//		sinktest.Run(t, sinktest.Case{
//			New: func(t *testing.T) (sink.Options, sinktest.Destination) { … },
//		})
//	}
package sinktest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/sink"
)

// Bound is how long anything that must happen may take before a test fails. It
// is generous: it only decides how long a broken sink is waited for.
const Bound = 20 * time.Second

// Case is a sink and how to see what it delivers.
type Case struct {
	// New returns options of a sink and the destination that they lead to,
	// a new one each time. The events' bodies are short printable words.
	New func(t *testing.T) (sink.Options, Destination)
	// Refused are options that Open refuses, by the property that its error
	// must name. The error must have a hint.
	Refused map[string]func(t *testing.T) sink.Options
}

// Destination is where a sink delivers to.
type Destination struct {
	// Bodies returns the bodies that anyone can read there now, in order.
	// nil for a sink that keeps nothing.
	Bodies func(t *testing.T) []string
	// Break makes the destination refuse all writes until mend is called.
	// nil for a destination that cannot.
	Break func(t *testing.T) (mend func())
	// Stall makes the destination take a little and then neither take more
	// nor refuse, until resume is called. nil for a destination that cannot.
	Stall func(t *testing.T) (resume func())
}

// Run checks every promise on c in a subtest of its own.
func Run(t *testing.T, c Case) {
	for _, promise := range []struct {
		name  string
		check func(*testing.T, Case)
	}{
		{"delivers in order, readable when Write returns", deliversInOrder},
		{"closes without a write", closesUnused},
		{"delivers what failed when it is written again", deliversAfterFailure},
		{"closes while its destination fails", closesBroken},
		{"returns soon when its context is done", returnsWhenDone},
		{"gives up a stalled destination when its context is done", givesUpStalled},
	} {
		t.Run(promise.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			promise.check(t, c)
		})
	}
	for property, options := range c.Refused {
		t.Run("names "+property+" when it cannot open", func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			_, err := open(t, options(t))
			if err == nil {
				t.Fatal("Open returned no error")
			}
			text := strings.Join(fault.Lines(err), "\n")
			if !strings.Contains(text, property) || !strings.Contains(text, "\nhint: ") {
				t.Errorf("the error does not name %s, or has no hint:\n%s", property, text)
			}
		})
	}
}

func deliversInOrder(t *testing.T, c Case) {
	opt, d := c.New(t)
	s := mustOpen(t, opt)
	var want []string
	for _, n := range []int{1, 3, 0, 100, 1, 1000} {
		batch, bodies := batchOf(len(want), n)
		want = append(want, bodies...)
		if err := write(t, t.Context(), s, batch); err != nil {
			t.Fatalf("writing %d events: %v", n, err)
		}
		if d.Bodies != nil {
			compare(t, fmt.Sprintf("after a batch of %d", n), d.Bodies(t), want)
		}
	}
	closeSink(t, s)
	if d.Bodies != nil {
		compare(t, "after Close", d.Bodies(t), want)
	}
}

func closesUnused(t *testing.T, c Case) {
	opt, d := c.New(t)
	closeSink(t, mustOpen(t, opt))
	if d.Bodies != nil {
		compare(t, "after Close", d.Bodies(t), nil)
	}
}

// deliversAfterFailure breaks the destination before the first batch and again
// between batches. What was written before a failure may be there twice.
func deliversAfterFailure(t *testing.T, c Case) {
	opt, d := c.New(t)
	if d.Break == nil {
		t.Skip("this sink's destination cannot fail")
	}
	s := mustOpen(t, opt)
	var want []string
	for range 3 {
		batch, bodies := batchOf(len(want), 10)
		want = append(want, bodies...)
		mend := d.Break(t)
		for range 2 {
			if err := write(t, t.Context(), s, batch); err == nil {
				t.Fatal("the destination refuses writes, and Write returned nil")
			}
		}
		mend()
		if err := write(t, t.Context(), s, batch); err != nil {
			t.Fatalf("writing again to the mended destination: %v", err)
		}
		if d.Bodies != nil {
			compare(t, "after writing again", firsts(d.Bodies(t)), want)
		}
	}
	closeSink(t, s)
	if d.Bodies != nil {
		compare(t, "after Close", firsts(d.Bodies(t)), want)
	}
}

// closesBroken checks that Close returns, with or without an error, and leaves
// nothing running.
func closesBroken(t *testing.T, c Case) {
	opt, d := c.New(t)
	if d.Break == nil {
		t.Skip("this sink's destination cannot fail")
	}
	s := mustOpen(t, opt)
	mend := d.Break(t)
	batch, _ := batchOf(0, 10)
	if err := write(t, t.Context(), s, batch); err == nil {
		t.Error("the destination refuses writes, and Write returned nil")
	}
	within(t, "Close", func() error { _ = s.Close(); return nil })
	mend()
}

// returnsWhenDone checks a context that was done before: Write may still
// deliver, but what it then refuses must be deliverable later.
func returnsWhenDone(t *testing.T, c Case) {
	opt, d := c.New(t)
	s := mustOpen(t, opt)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	batch, want := batchOf(0, 10)
	if err := write(t, ctx, s, batch); err != nil {
		if err := write(t, t.Context(), s, batch); err != nil {
			t.Fatalf("writing again: %v", err)
		}
	}
	closeSink(t, s)
	if d.Bodies != nil {
		compare(t, "after Close", firsts(d.Bodies(t)), want)
	}
}

func givesUpStalled(t *testing.T, c Case) {
	opt, d := c.New(t)
	if d.Stall == nil {
		t.Skip("this sink's destination cannot stall")
	}
	s := mustOpen(t, opt)
	resume := d.Stall(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	batch, want := batchOf(0, 1_000)
	for {
		err := write(t, ctx, s, batch)
		if err != nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the destination takes no more, and Write returned nil")
		}
	}
	resume()
	if err := write(t, t.Context(), s, batch); err != nil {
		t.Fatalf("writing again: %v", err)
	}
	closeSink(t, s)
	if d.Bodies != nil {
		compare(t, "after Close", firsts(d.Bodies(t)), want)
	}
}

// open does what the engine does: Validate, then Open.
func open(t *testing.T, opt sink.Options) (sink.Sink, error) {
	t.Helper()
	if v, ok := opt.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	return opt.Open(Context(t))
}

func mustOpen(t *testing.T, opt sink.Options) sink.Sink {
	t.Helper()
	s, err := open(t, opt)
	if err != nil {
		t.Fatal(strings.Join(fault.Lines(err), "\n"))
	}
	return s
}

func write(t *testing.T, ctx context.Context, s sink.Sink, b *event.Batch) error {
	t.Helper()
	return within(t, "Write", func() error { return s.Write(ctx, b) })
}

func closeSink(t *testing.T, s sink.Sink) {
	t.Helper()
	if err := within(t, "Close", s.Close); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func within(t *testing.T, what string, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(Bound):
		t.Fatalf("%s has not returned after %v", what, Bound)
		return nil
	}
}

// batchOf returns n events whose bodies are the words from number first on.
func batchOf(first, n int) (*event.Batch, []string) {
	var b event.Batch
	var bodies []string
	for i := range n {
		bodies = append(bodies, fmt.Sprintf("event-%06d", first+i))
		b.Append(event.Event{Headers: event.NewHeaders("host", "a"), Body: []byte(bodies[i])})
	}
	return &b, bodies
}

// firsts returns bodies without those that were there before.
func firsts(bodies []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(bodies), func(body string) bool {
		before := seen[body]
		seen[body] = true
		return before
	})
}

func compare(t *testing.T, when string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s: %d bodies at the destination, want %d; they differ from number %d on: got %q; want %q",
				when, len(got), len(want), i, at(got, i), at(want, i))
		}
	}
}

func at(bodies []string, i int) string {
	if i < len(bodies) {
		return bodies[i]
	}
	return "(none)"
}
