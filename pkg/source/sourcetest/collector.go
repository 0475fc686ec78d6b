package sourcetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/source"
)

// ErrFull is what a full Collector refuses batches with: Flume's text for a
// full memory channel.
//
//lint:ignore ST1005 it is Flume's text
var ErrFull = errors.New("Space for commit to queue couldn't be acquired. Sinks are likely not keeping up with sources, or the buffer size is too tight")

// window is how many batches may be under way in a Collector.
const window = 4

// Collector is a source.Put that keeps what is committed in memory and can be
// told to be full, to hold commits back, to fail and to stop. The zero value
// commits at once. Its methods may be called by any number of goroutines.
type Collector struct {
	Max    int  // what MaxEvents returns
	Forget bool // count events and keep none, for benchmarks

	mu      sync.Mutex
	changed chan struct{} // closed when something below has changed; nil if nobody waits
	state   state
	failure error
	pending []*pending // under way, while held or full
	refused int        // calls that Try refused
	count   int
	batches [][]event.Event
}

type state int

const (
	accepting state = iota
	full
	held
	failing
)

// pending is a batch on its way.
type pending struct {
	batch *event.Batch
	done  chan error
}

// Wait implements source.Commit.
func (p *pending) Wait() error { return <-p.done }

// Accept commits what is under way and all that comes.
func (c *Collector) Accept() { c.set(accepting, nil) }

// Fill makes the channel full: Try is refused, Begin and Commit wait for Accept.
func (c *Collector) Fill() { c.set(full, nil) }

// Hold makes every call wait for Accept.
func (c *Collector) Hold() { c.set(held, nil) }

// Fail refuses with err what is under way and all that comes.
func (c *Collector) Fail(err error) { c.set(failing, err) }

// Stop ends all calls with source.ErrStopped, as when the process must end.
func (c *Collector) Stop() { c.Fail(source.ErrStopped) }

func (c *Collector) set(s state, failure error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.failure = s, failure
	if s == accepting || s == failing {
		for _, p := range c.pending {
			c.finish(p)
		}
		c.pending = nil
	}
	c.notify()
}

// finish commits or refuses p, as the state is.
func (c *Collector) finish(p *pending) {
	if c.state == failing {
		p.done <- c.failure
		return
	}
	c.count += p.batch.Len()
	if !c.Forget {
		var events []event.Event
		for e := range p.batch.All() {
			events = append(events, e.Clone())
		}
		c.batches = append(c.batches, events)
	}
	p.done <- nil
}

func (c *Collector) notify() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Begin implements source.Put.
func (c *Collector) Begin(b *event.Batch) source.Commit {
	return c.begin(b)
}

func (c *Collector) begin(b *event.Batch) *pending {
	p := &pending{batch: b, done: make(chan error, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	for (c.state == held || c.state == full) && len(c.pending) == window {
		c.wait(nil)
	}
	if c.state == held || c.state == full {
		c.pending = append(c.pending, p)
	} else {
		c.finish(p)
	}
	c.notify()
	return p
}

// Commit implements source.Put.
func (c *Collector) Commit(b *event.Batch) error { return c.begin(b).Wait() }

// Try implements source.Put.
func (c *Collector) Try(b *event.Batch) error {
	if c.Max > 0 && b.Len() > c.Max {
		return fmt.Errorf("a batch of %d events where %d is the most", b.Len(), c.Max)
	}
	c.mu.Lock()
	if c.state == full {
		c.refused++
		c.notify()
		c.mu.Unlock()
		return ErrFull
	}
	c.mu.Unlock()
	return c.begin(b).Wait()
}

// MaxEvents implements source.Put.
func (c *Collector) MaxEvents() int { return c.Max }

// Batches returns the events committed so far, batch by batch.
func (c *Collector) Batches() [][]event.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.batches)
}

// Bodies returns the bodies of the events committed so far, in order.
func (c *Collector) Bodies() []string {
	var bodies []string
	for _, batch := range c.Batches() {
		for _, e := range batch {
			bodies = append(bodies, string(e.Body))
		}
	}
	return bodies
}

// Await waits until n events are committed.
func (c *Collector) Await(t testing.TB, n int) {
	t.Helper()
	c.await(t, func() bool { return c.count >= n }, fmt.Sprintf("%d events committed", n))
}

// AwaitCaller waits until a batch is under way or was refused.
func (c *Collector) AwaitCaller(t testing.TB) {
	t.Helper()
	c.await(t, func() bool { return len(c.pending)+c.refused > 0 }, "a batch")
}

func (c *Collector) await(t testing.TB, ok func() bool, what string) {
	t.Helper()
	late := time.NewTimer(Bound)
	defer late.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() {
		if !c.wait(late.C) {
			t.Fatalf("waited %v for %s; got %d events", Bound, what, c.count)
		}
	}
}

// wait waits for a change and reports whether it came before late. It unlocks
// meanwhile.
func (c *Collector) wait(late <-chan time.Time) bool {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	changed := c.changed
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-changed:
		return true
	case <-late:
		return false
	}
}
