// Package sourcetest states the promises that every source keeps, and checks
// them on one source. A source's test is a Case and its own vectors:
//
//	func TestPromises(t *testing.T) {
//		sourcetest.Run(t, sourcetest.Case{
//			New: func(t *testing.T, bodies []string) source.Options { … },
//		})
//	}
package sourcetest

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/source"
)

// Bound is how long anything that must happen may take before a test fails. It
// is generous: it only decides how long a broken source is waited for.
const Bound = 20 * time.Second

// events is how many events a promise is tried on.
const events = 100

// Case is a source and how to give it input.
type Case struct {
	// New returns options of a source. The bodies are the decimal numbers
	// from 0 on. The source must find them in its input, in order; after
	// them the input may end or go on without a further event. A source
	// that listens is given none: it has them from Send.
	New func(t *testing.T, bodies []string) source.Options
	// Send sends bodies, in order, to a source that listens at addr, and
	// returns for each of them nil if the source said that it took it, or
	// how it was refused. nil for sources that do not listen.
	Send func(t *testing.T, addr net.Addr, bodies []string) []error
	// Refused are options that Open refuses, by the property that its error
	// must name.
	Refused map[string]func(t *testing.T) source.Options
}

// Run checks every promise on c in a subtest of its own.
func Run(t *testing.T, c Case) {
	for _, promise := range []struct {
		name  string
		check func(*testing.T, Case)
	}{
		{"delivers in order", deliversInOrder},
		{"loses nothing to a full channel", losesNothingWhenFull},
		{"claims nothing that was not committed", claimsNothingUncommitted},
		{"drains when asked to stop", drains},
		{"stops at once when the process must", stopsAtOnce},
		{"ends when asked for what is there", ends},
	} {
		t.Run(promise.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			promise.check(t, c)
		})
	}
	for property, options := range c.Refused {
		t.Run("names "+property+" when it cannot open", func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			_, err := options(t).Open(t.Context())
			if err == nil {
				t.Fatal("Open returned no error")
			}
			if text := strings.Join(fault.Lines(err), "\n"); !strings.Contains(text, property) {
				t.Errorf("the error does not name %s:\n%s", property, text)
			}
		})
	}
}

func deliversInOrder(t *testing.T, c Case) {
	r := start(t, c)
	answers := r.send(t)
	r.put.Await(t, events)
	r.cancel()
	if err := r.end(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	for i, err := range <-answers {
		if err != nil {
			t.Errorf("event %d was refused: %v", i, err)
		}
	}
	if got := r.put.Bodies(); !slices.Equal(got, r.bodies) {
		t.Errorf("got %q; want %q", got, r.bodies)
	}
}

func losesNothingWhenFull(t *testing.T, c Case) {
	r := start(t, c, (*Collector).Fill)
	answers := r.send(t)
	r.put.AwaitCaller(t)
	if c.Send != nil {
		for i, err := range <-answers {
			if err == nil {
				t.Errorf("event %d was taken, into a full channel", i)
			}
		}
		r.put.Accept()
		answers = r.send(t)
		for i, err := range <-answers {
			if err != nil {
				t.Errorf("event %d was refused again: %v", i, err)
			}
		}
	}
	r.put.Accept()
	r.put.Await(t, events)
	r.cancel()
	if err := r.end(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := r.put.Bodies(); !slices.Equal(got, r.bodies) {
		t.Errorf("got %q; want %q", got, r.bodies)
	}
}

func claimsNothingUncommitted(t *testing.T, c Case) {
	broken := errors.New("the channel is broken")
	r := start(t, c, func(put *Collector) { put.Fail(broken) })
	answers := r.send(t)
	if c.Send == nil {
		if err := r.end(t); !errors.Is(err, broken) {
			t.Errorf("Run returned %v; want the commit's error", err)
		}
		return
	}
	for i, err := range <-answers {
		if err == nil {
			t.Errorf("event %d was taken; its commit failed", i)
		}
	}
	r.cancel()
	r.end(t)
}

func drains(t *testing.T, c Case) {
	r := start(t, c, (*Collector).Hold)
	answers := r.send(t)
	r.put.AwaitCaller(t)
	r.cancel()
	select {
	case err := <-r.done:
		t.Fatalf("Run returned (%v) with a batch under way", err)
	case <-time.After(20 * time.Millisecond): // that nothing happens takes time
	}
	r.put.Accept()
	if err := r.end(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	got := r.put.Bodies()
	if len(got) == 0 || !slices.Equal(got, r.bodies[:min(len(got), len(r.bodies))]) {
		t.Errorf("got %q; want the first of %q", got, r.bodies)
	}
	for i, err := range <-answers {
		if taken := i < len(got); taken != (err == nil) {
			t.Errorf("event %d: committed is %v and the answer %v", i, taken, err)
		}
	}
}

func stopsAtOnce(t *testing.T, c Case) {
	r := start(t, c, (*Collector).Hold)
	answers := r.send(t)
	r.put.AwaitCaller(t)
	r.cancel()
	r.put.Stop()
	if err := r.end(t); err != nil && !errors.Is(err, source.ErrStopped) {
		t.Errorf("Run returned %v; want nil or ErrStopped", err)
	}
	for i, err := range <-answers {
		if err == nil {
			t.Errorf("event %d was taken; its commit was cut off", i)
		}
	}
}

func ends(t *testing.T, c Case) {
	bodies := numbers(events)
	opt := c.New(t, bodies)
	ender, ok := opt.(source.Ender)
	if !ok {
		t.Skip("its input has no end")
	}
	ender.End()
	src, err := opt.Open(t.Context())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	var put Collector
	r := &running{put: &put, done: make(chan error, 1)}
	go func() { r.done <- src.Run(t.Context(), &put) }()
	if err := r.end(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := put.Bodies(); !slices.Equal(got, bodies) {
		t.Errorf("got %q; want %q", got, bodies)
	}
}

// running is a source that was started.
type running struct {
	c      Case
	src    source.Source
	bodies []string
	put    *Collector
	cancel context.CancelFunc
	done   chan error // Run's result
}

// start opens and runs a source of c, with a Collector prepared so.
func start(t *testing.T, c Case, prepare ...func(*Collector)) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{c: c, bodies: numbers(events), put: new(Collector), cancel: cancel, done: make(chan error, 1)}
	for _, p := range prepare {
		p(r.put)
	}
	input := r.bodies
	if c.Send != nil {
		input = nil
	}
	src, err := c.New(t, input).Open(ctx)
	if err != nil {
		cancel()
		t.Fatalf("Open: %v", err)
	}
	r.src = src
	go func() { r.done <- src.Run(ctx, r.put) }()
	return r
}

// send sends the bodies to a source that listens, and returns where its
// answers will come. There are none from other sources.
func (r *running) send(t *testing.T) <-chan []error {
	answers := make(chan []error, 1)
	if r.c.Send == nil {
		answers <- nil
		return answers
	}
	addr := r.src.(source.Addresser).Addr()
	go func() { answers <- r.c.Send(t, addr, r.bodies) }()
	return answers
}

// end waits for Run to return.
func (r *running) end(t *testing.T) error {
	t.Helper()
	if r.cancel != nil {
		defer r.cancel()
	}
	select {
	case err := <-r.done:
		return err
	case <-time.After(Bound):
		t.Fatalf("Run has not returned after %v", Bound)
		return nil
	}
}

func numbers(n int) []string {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	return numbers
}
