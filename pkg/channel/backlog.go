package channel

import (
	"fmt"

	"github.com/flumekit/flumekit/pkg/event"
)

// loadBacklog reads ahead of the takers what lies in the store only.
func (c *Queue) loadBacklog() {
	for {
		from := c.wantLoad()
		if from == 0 {
			return
		}
		loaded, err := c.load(from)
		c.mu.Lock()
		if err != nil {
			if c.ctx.Err() == nil {
				c.fail(fmt.Errorf("reading the backlog: %w", err))
			}
			c.mu.Unlock()
			return
		}
		for _, e := range loaded {
			if e.seq > c.pos.put || c.recent.len() > 0 && e.seq >= c.recent.front().seq {
				break
			}
			c.ready.push(e)
		}
		c.changed.Broadcast()
		c.mu.Unlock()
	}
}

// wantLoad waits until something should be loaded and returns from where; 0
// when the channel ends.
func (c *Queue) wantLoad() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.usable() != nil {
			return 0
		}
		if c.takers > 0 && c.ready.cost < aheadBytes/2 {
			from := c.pos.taken + 1
			if c.ready.len() > 0 {
				from = c.ready.back().seq + 1
			}
			if from <= c.pos.put && (c.recent.len() == 0 || from < c.recent.front().seq) {
				return from
			}
		}
		c.hungry.Wait()
	}
}

// load reads messages from the store, none of them missing.
func (c *Queue) load(from uint64) ([]*entry, error) {
	read, err := c.store.Read(c.ctx, from, readBytes)
	if err != nil {
		return nil, err
	}
	if len(read) == 0 {
		return nil, missing(from, from)
	}
	loaded := make([]*entry, len(read))
	for i, m := range read {
		if want := from + uint64(i); m.Seq != want {
			return nil, missing(want, m.Seq-1)
		}
		b, err := decode(m)
		if err != nil {
			return nil, err
		}
		loaded[i] = &entry{seq: m.Seq, batch: b, weight: c.limits.weigh(b), totals: m.Totals}
	}
	return loaded, nil
}

func decode(m Message) (*event.Batch, error) {
	b := new(event.Batch)
	if err := b.Decode(m.Data); err != nil {
		return nil, fmt.Errorf("message %d: %w", m.Seq, err)
	}
	return b, nil
}
