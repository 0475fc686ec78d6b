package channel

import (
	"context"
	"io"
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
)

// Taker takes batches out of a channel for one receiver.
type Taker struct {
	c *Channel

	// under c.mu:
	last   bool // Take ends when the channel holds nothing
	closed bool
	held   map[uint64]*Take
}

// Take is a batch in a taker's hands: committed or returned, whole.
type Take struct {
	// Batch has the events. It is not to be changed, and valid until the
	// take is committed or returned.
	Batch *event.Batch

	from  *Taker
	entry *entry
}

// Taker returns a new taker. Any number of takers share a channel; each batch
// goes to one of them. Close it after use.
func (c *Channel) Taker() *Taker {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takers++
	c.hungry.Signal()
	return &Taker{c: c, held: make(map[uint64]*Take)}
}

// Last makes Take return io.EOF once the channel holds nothing, not even a
// batch in a taker's hands, which might come back.
func (t *Taker) Last() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.last = true
	t.c.changed.Broadcast()
}

// Take returns the oldest batch that no taker has, and waits until there is
// one. Many may be taken before the first is committed. It returns ctx's error
// when ctx is done, ErrClosed when the taker or the channel is closed, and
// io.EOF as Last says.
func (t *Taker) Take(ctx context.Context) (*Take, error) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := false
	for {
		if err := t.usable(ctx); err != nil {
			return nil, err
		}
		if e := c.nextEntry(); e != nil {
			if e.batch == nil {
				if err := c.fetch(e); err != nil {
					return nil, err
				}
				if err := t.usable(ctx); err != nil {
					c.giveBack(e)
					return nil, err
				}
			}
			c.hold(e)
			take := &Take{Batch: e.batch, from: t, entry: e}
			t.held[e.seq] = take
			return take, nil
		}
		if t.last && c.idle() {
			return nil, io.EOF
		}
		if !waiting {
			waiting = true
			defer context.AfterFunc(ctx, func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.changed.Broadcast()
			})()
		}
		c.changed.Wait()
	}
}

func (t *Taker) usable(ctx context.Context) error {
	if t.closed {
		return ErrClosed
	}
	if err := t.c.usable(); err != nil {
		return err
	}
	return ctx.Err()
}

// nextEntry removes and returns the oldest entry that no taker has, nil if
// there is none in memory. c.mu is held.
func (c *Channel) nextEntry() *entry {
	if len(c.returned) > 0 {
		e := c.returned[0]
		c.returned = slices.Delete(c.returned, 0, 1)
		return e
	}
	if len(c.pos.open) >= maxOpen {
		return nil
	}
	switch {
	case c.ready.len() > 0:
		e := c.ready.pop()
		if c.ready.cost < aheadBytes/2 {
			c.hungry.Signal()
		}
		return e
	case c.recent.len() > 0 && c.recent.front().seq == c.pos.taken+1:
		return c.recent.pop()
	}
	return nil
}

// fetch reads an entry that lies in the store only. c.mu is held, but not
// while it reads.
func (c *Channel) fetch(e *entry) error {
	c.mu.Unlock()
	m, err := c.readOne(c.ctx, e.seq)
	var b *event.Batch
	if err == nil {
		b, err = decode(m)
	}
	c.mu.Lock()
	if err != nil {
		c.giveBack(e)
		c.fail(err)
		return err
	}
	e.batch, e.weight, e.totals = b, c.limits.weigh(b), m.Totals
	return nil
}

// giveBack makes e the oldest of what no taker has, or puts it in its place
// among those that were given back before. c.mu is held.
func (c *Channel) giveBack(e *entry) {
	i, _ := slices.BinarySearchFunc(c.returned, e.seq, func(e *entry, seq uint64) int {
		if e.seq < seq {
			return -1
		}
		return 1
	})
	c.returned = slices.Insert(c.returned, i, e)
	c.changed.Broadcast()
}

// Commit says that the batch is delivered: the channel forgets it. After an
// error it may be handed out again, by the next process.
func (t *Take) Commit() error {
	c := t.from.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.end() {
		return ErrClosed
	}
	if c.ledger == nil && c.conf.Dir != nil { // Close has passed by
		return ErrClosed
	}
	c.release(t.entry)
	if err := c.record(); err != nil {
		return err
	}
	c.admitWaiting()
	if c.idle() || len(c.pos.open) == maxOpen-1 {
		c.changed.Broadcast()
	}
	c.touch()
	return nil
}

// Return gives the batch back: it is the next to be handed out, before all that
// was put after it.
func (t *Take) Return() {
	c := t.from.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.end() {
		c.giveBack(t.entry)
	}
}

// end takes the batch out of the taker's hands and reports whether it was
// there. c.mu is held.
func (t *Take) end() bool {
	if t.from.held[t.entry.seq] != t {
		return false
	}
	delete(t.from.held, t.entry.seq)
	return true
}

// Close returns everything that the taker has not committed.
func (t *Taker) Close() {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	c.takers--
	for _, take := range t.held {
		c.giveBack(take.entry)
	}
	clear(t.held)
	c.changed.Broadcast()
}
