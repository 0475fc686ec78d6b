package channel

import (
	"fmt"

	"github.com/flumekit/flumekit/pkg/event"
)

// commitPuts appends what was admitted, one message at a time. The puts that
// arrive while a message is on its way to the disk are the next message.
func (c *Queue) commitPuts() {
	var group []*put
	for {
		group = c.gather(group[:0])
		if len(group) == 0 {
			return
		}
		err := c.commit(group)
		for i, q := range group {
			q.finish(err)
			group[i] = nil
		}
	}
}

// gather waits for puts and returns those for one message; none when the
// channel is closed and all that was admitted is committed.
func (c *Queue) gather(group []*put) []*put {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.admitted) == 0 {
		if c.closed {
			c.finished = true
			c.changed.Broadcast()
			return nil
		}
		if c.err != nil && c.waiting.len() > 0 { // none of these will ever have room
			return append(group, c.waiting.takeAll()...)
		}
		c.arrived.Wait()
	}
	events, size := 0, 0
	for i, q := range c.admitted {
		events += q.batch.Len()
		size += q.batch.Size()
		if i > 0 && (events > c.limits.Transaction || size > joinBytes) {
			break
		}
		group = append(group, q)
	}
	n := copy(c.admitted, c.admitted[len(group):])
	clear(c.admitted[n:])
	c.admitted = c.admitted[:n]
	return group
}

// commit appends the group's events as one message.
func (c *Queue) commit(group []*put) error {
	c.mu.Lock()
	err, totals := c.err, c.pos.putTotals
	c.mu.Unlock()
	if err != nil {
		return err
	}
	batch, weight := group[0].batch, group[0].weight
	if len(group) > 1 {
		batch = join(group)
		for _, q := range group[1:] {
			weight = weight.plus(q.weight)
		}
	}
	totals = totals.plus(weight)
	seq, err := c.store.Append(c.ctx, batch.Encoded(), totals)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved = c.reserved.minus(weight)
	if err == nil && seq != c.pos.put+1 {
		err = fmt.Errorf("the store put message %d in the place of %d: somebody else writes to it", seq, c.pos.put+1)
	}
	if err != nil {
		c.fail(err)
		return err
	}
	c.pos.put, c.pos.putTotals = seq, totals
	if err := c.record(); err != nil {
		return err
	}
	c.recent.push(&entry{seq: seq, batch: batch, weight: weight, totals: totals})
	for c.recent.cost > recentBytes {
		c.recent.pop()
		c.hungry.Signal()
	}
	c.changed.Broadcast()
	c.touch()
	return nil
}

func join(group []*put) *event.Batch {
	joined, size := new(event.Batch), 0
	for _, q := range group {
		size += q.batch.Size()
	}
	joined.Reserve(size)
	for _, q := range group {
		joined.AppendBatch(q.batch)
	}
	return joined
}
