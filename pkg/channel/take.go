package channel

import (
	"context"
	"io"
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
)

// taker is the Taker of a Queue.
type taker struct {
	c *Queue

	// under c.mu:
	last   bool // Take ends when the channel holds nothing
	closed bool
	held   map[uint64]*taken
}

// taken is the Take of a Queue.
type taken struct {
	from  *taker
	entry *entry
}

// Taker implements Channel.
func (c *Queue) Taker() Taker {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &taker{c: c, held: make(map[uint64]*taken)}
	c.takers[t] = struct{}{}
	c.hungry.Signal()
	return t
}

// Last implements Taker.
func (t *taker) Last() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.last = true
	t.c.changed.Broadcast()
}

// Take implements Taker.
func (t *taker) Take(ctx context.Context) (Take, error) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := false
	for {
		if err := t.usable(ctx); err != nil {
			return nil, err
		}
		if e := c.nextEntry(); e != nil {
			if take, err := t.have(ctx, e); take != nil || err != nil {
				return take, err
			}
			continue
		}
		if t.last && c.idle() {
			return nil, io.EOF
		}
		if !waiting {
			waiting = true
			defer context.AfterFunc(ctx, c.wakeTakers)()
		}
		c.changed.Wait()
	}
}

// wakeTakers makes those who wait for a change look again.
func (m *monitor) wakeTakers() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed.Broadcast()
}

// have puts e into the taker's hands; nil if it could not be read. c.mu is held,
// but not while it is read.
func (t *taker) have(ctx context.Context, e *entry) (Take, error) {
	c := t.c
	if e.batch == nil {
		if !c.fetch(e) {
			return nil, nil
		}
		if err := t.usable(ctx); err != nil {
			c.giveBack(e)
			return nil, err
		}
	}
	c.hold(e)
	take := &taken{from: t, entry: e}
	t.held[e.first] = take
	return take, nil
}

func (t *taker) usable(ctx context.Context) error {
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
func (c *Queue) nextEntry() *entry {
	if len(c.returned) > 0 {
		e := c.returned[0]
		if e.batch == nil && !c.trouble.mayRead() {
			return nil
		}
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
	case c.recent.len() > 0 && c.recent.front().after == c.pos.taken:
		return c.recent.pop()
	}
	return nil
}

// fetch reads an entry that lies in the store only, and reports whether it is
// there. c.mu is held, but not while it reads.
func (c *Queue) fetch(e *entry) bool {
	c.mu.Unlock()
	var found *entry
	err := c.use(false, func(s Store) (err error) {
		found, err = c.readEntry(c.ctx, s, e.first)
		return err
	})
	c.mu.Lock()
	if err != nil {
		if slices.Contains(c.pos.open, e.first) { // else it was found to be lost meanwhile
			c.giveBack(e)
		}
		return false
	}
	e.seq, e.batch, e.weight, e.totals = found.seq, found.batch, found.weight, found.totals
	return true
}

// giveBack makes e the oldest of what no taker has, or puts it in its place
// among those that were given back before. c.mu is held.
func (c *Queue) giveBack(e *entry) {
	i, _ := slices.BinarySearchFunc(c.returned, e.first, func(e *entry, first uint64) int {
		if e.first < first {
			return -1
		}
		return 1
	})
	c.returned = slices.Insert(c.returned, i, e)
	c.changed.Broadcast()
}

// Batch implements Take.
func (t *taken) Batch() *event.Batch { return t.entry.batch }

// Commit implements Take.
func (t *taken) Commit() error {
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
	crashPoint("take: released")
	c.record()
	crashPoint("take: recorded")
	c.admitWaiting()
	if c.idle() || len(c.pos.open) == maxOpen-1 {
		c.changed.Broadcast()
	}
	c.touch()
	return nil
}

// Return implements Take.
func (t *taken) Return() {
	c := t.from.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.end() {
		c.giveBack(t.entry)
	}
}

// end takes the batch out of the taker's hands and reports whether it was
// there. c.mu is held.
func (t *taken) end() bool {
	if t.from.held[t.entry.first] != t {
		return false
	}
	delete(t.from.held, t.entry.first)
	return true
}

// Close implements Taker.
func (t *taker) Close() {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	delete(c.takers, t)
	for _, take := range t.held {
		c.giveBack(take.entry)
	}
	clear(t.held)
	c.changed.Broadcast()
}
