package channel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
)

// appending is a message on its way into the store.
type appending struct {
	puts   []*put
	batch  *event.Batch
	weight Totals
	totals Totals // through this message
}

// commitPuts appends what was admitted, one message at a time. The puts that
// arrive while a message is on its way to the disk are the next message.
func (c *Queue) commitPuts() {
	var group []*put
	for {
		var found []*put
		if group, found = c.gather(group[:0]); group == nil {
			return
		}
		for _, q := range found {
			q.finish(nil)
		}
		if len(group) == 0 {
			continue
		}
		refused, err := c.commit(group)
		for _, q := range refused {
			q.finish(err)
		}
		if err == nil {
			crashPoint("put: recorded")
			for _, q := range group {
				q.finish(nil)
			}
			crashPoint("put: done")
		}
		clear(group)
	}
}

// gather waits for puts and returns those for one message, or those that were
// found to be in the store; nil when the channel is closed and all that was
// admitted is committed.
func (c *Queue) gather(group []*put) (_, found []*put) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.admitted) == 0 {
		switch {
		case len(c.found) > 0:
			found, c.found = c.found, nil
			return []*put{}, found
		case c.closed:
			c.finished = true
			c.changed.Broadcast()
			return nil, nil
		case c.err != nil && c.waiting.len() > 0: // none of these will ever have room
			return append(group, c.waiting.takeAll()...), nil
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
	return group, nil
}

// commit appends the group's events as one message. After an error it returns the
// puts that are refused with it; those that are not wait for the store.
func (c *Queue) commit(group []*put) (refused []*put, err error) {
	c.mu.Lock()
	err, before := c.err, c.pos.putTotals
	c.mu.Unlock()
	if err != nil {
		return group, err
	}
	m := &appending{puts: group, batch: group[0].batch, weight: group[0].weight}
	if len(group) > 1 {
		m.batch = join(group)
		for _, q := range group[1:] {
			m.weight = m.weight.plus(q.weight)
		}
	}
	m.totals = before.plus(m.weight)
	crashPoint("put: has room")
	var foreign error
	err = c.use(true, func(s Store) error {
		seq, err := s.Append(c.ctx, m.batch.Encoded(), m.totals)
		crashPoint("put: appended")
		// All is noted before the keeper can open the store again, which
		// compares it with what is noted.
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case err != nil:
			refused = c.notAppended(m, true)
			return err
		case seq <= c.pos.put:
			foreign = fmt.Errorf("the store put a message in the place %d, but had %d already: somebody else writes to it", seq, c.pos.put)
			c.fail(foreign)
			return nil
		}
		c.reserved = c.reserved.minus(m.weight)
		c.appended(m, seq)
		return nil
	})
	switch {
	case foreign != nil:
		return group, foreign
	case errors.Is(err, errStoreClosed):
		c.mu.Lock()
		defer c.mu.Unlock()
		refused = c.notAppended(m, false)
		fallthrough
	case err != nil:
		return refused, &refusal{fmt.Sprintf("the channel's store fails: %v", err), ErrFull}
	}
	return nil, nil
}

// appended notes that m is in the store. c.mu is held.
func (c *Queue) appended(m *appending, seq uint64) {
	after, first := c.pos.put, max(c.pos.put, c.end)+1
	c.pos.put, c.pos.putTotals = seq, m.totals
	c.record()
	c.recent.push(&entry{first: first, seq: seq, after: after, batch: m.batch, weight: m.weight, totals: m.totals})
	for c.recent.cost > recentBytes {
		c.recent.pop()
		c.hungry.Signal()
	}
	c.changed.Broadcast()
	c.touch()
}

// notAppended is called when m is not in the store, or in doubt: nobody knows
// whether it is. It returns the puts that are to be refused: the impatient ones, also
// of those that were to follow. The others wait, those of m until the store tells if
// there is doubt, else for room again. c.mu is held.
func (c *Queue) notAppended(m *appending, doubt bool) (refused []*put) {
	following := c.admitted
	c.admitted, c.reserved = nil, Totals{}
	if c.closed {
		return append(slices.Clone(m.puts), following...)
	}
	patient := func(puts []*put) (those []*put) {
		for _, q := range puts {
			if q.wait {
				those = append(those, q)
			} else {
				refused = append(refused, q)
			}
		}
		return those
	}
	m.puts = patient(m.puts)
	c.waiting.pushFront(patient(following))
	if doubt {
		c.trouble.doubt = m
	} else {
		c.waiting.pushFront(m.puts)
	}
	return refused
}

// resolveDoubt ends the doubt about an append that failed: the store is open
// again, and ends at the place last with these totals. c.mu is held.
func (c *Queue) resolveDoubt(last uint64, totals Totals) {
	m := c.trouble.doubt
	c.trouble.doubt = nil
	switch {
	case m == nil:
	case last > c.pos.put && totals == m.totals:
		c.appended(m, last)
		c.found = append(c.found, m.puts...)
		c.arrived.Signal()
	default:
		c.waiting.pushFront(m.puts)
	}
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
