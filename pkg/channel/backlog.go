package channel

import (
	"fmt"

	"github.com/flumekit/flumekit/pkg/event"
)

// loadBacklog reads ahead of the takers what lies in the store only.
func (c *Queue) loadBacklog() {
	for {
		after, ok := c.wantLoad()
		if !ok {
			return
		}
		read, err := c.load(after.seq + 1)
		if err != nil {
			continue // the keeper knows
		}
		c.mu.Lock()
		c.accept(after, read)
		c.changed.Broadcast()
		c.mu.Unlock()
	}
}

// accept makes what was read ready for takers, unless the store was opened
// again meanwhile. after is the last that was ready. c.mu is held.
func (c *Queue) accept(after mark, read []*entry) {
	if c.lastReady() != after {
		return
	}
	for _, e := range read {
		if e.seq > c.pos.put {
			return
		}
		if gap := (Places{after.seq + 1, e.first - 1}); gap.Last >= gap.First {
			c.miss(hole{gap, e.totals.minus(e.weight).minus(after.totals)})
		}
		if c.recent.len() > 0 && e.seq >= c.recent.front().seq { // what lies before it in memory is lost
			c.recent.front().after = after.seq
			return
		}
		c.ready.push(e)
		after = mark{e.seq, e.totals}
	}
}

// mark is a place at which a message ends, and the totals through it.
type mark struct {
	seq    uint64
	totals Totals
}

// lastReady returns the place up to which all is ready for takers or was taken.
// c.mu is held.
func (c *Queue) lastReady() mark {
	if c.ready.len() > 0 {
		last := c.ready.back()
		return mark{last.seq, last.totals}
	}
	return mark{c.pos.taken, c.pos.takenTotals}
}

// wantLoad waits until something should be loaded and returns after what; false
// when the channel ends.
func (c *Queue) wantLoad() (after mark, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.usable() != nil {
			return mark{}, false
		}
		if len(c.takers) > 0 && c.ready.cost < aheadBytes/2 && c.trouble.mayRead() {
			after := c.lastReady()
			if after.seq < c.pos.put && (c.recent.len() == 0 || after.seq < c.recent.front().after) {
				return after, true
			}
		}
		c.hungry.Wait()
	}
}

// load reads messages from the store.
func (c *Queue) load(from uint64) (loaded []*entry, err error) {
	err = c.use(false, func(s Store) error {
		read, err := s.Read(c.ctx, from, readBytes)
		if err != nil {
			return err
		}
		if len(read) == 0 {
			return fmt.Errorf("messages from %d on are missing from the store", from)
		}
		loaded = make([]*entry, len(read))
		for i, m := range read {
			if loaded[i], err = c.entry(m); err != nil {
				return err
			}
		}
		return nil
	})
	return loaded, err
}

// entry returns m on its way to a taker.
func (c *Queue) entry(m Message) (*entry, error) {
	b, err := decode(m)
	if err != nil {
		return nil, err
	}
	return &entry{first: m.First, seq: m.Seq, batch: b, weight: c.limits.weigh(b), totals: m.Totals}, nil
}

func decode(m Message) (*event.Batch, error) {
	b := new(event.Batch)
	if err := b.Decode(m.Data); err != nil {
		return nil, fmt.Errorf("message %d: %w", m.Seq, err)
	}
	return b, nil
}
