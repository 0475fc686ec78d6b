package channel

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
)

// Check compares the messages of a store at rest with the ledger beside it. It is
// told of the messages that are whole, in order, and then says what is amiss.
type Check struct {
	// Events are those of the messages so far, Held those of them that are
	// not taken for good.
	Events, Held uint64
	// First and Last are the places of the first and the last message.
	First, Last uint64
	// Problems are what does not agree, a line for each.
	Problems []string

	pos  *position // nil: there is none
	last Totals
}

// Check returns a Check against the directory's ledger.
func (d *Dir) Check() (*Check, error) {
	c := new(Check)
	pos, err := lookUp(d.ledger())
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was ever put
	case errors.As(err, new(*fs.PathError)):
		return nil, err
	case err != nil:
		c.problem("%v", err)
	default:
		c.pos = pos
	}
	return c, nil
}

// Message takes the next message.
func (c *Check) Message(m Message) {
	var b event.Batch
	if err := b.Decode(m.Data); err != nil {
		c.problem("message %d: %v", m.Seq, err)
		return
	}
	events := uint64(b.Len())
	if m.First == c.Last+1 && c.First > 0 && m.Totals.Events != c.last.Events+events {
		c.problem("message %d says that %d events were put through it; with the one before it that is %d", m.Seq, m.Totals.Events, c.last.Events+events)
	}
	if c.holds(m) {
		c.Held += events
	}
	if c.First == 0 {
		c.First = m.First
	}
	c.Last, c.last = m.Seq, m.Totals
	c.Events += events
}

// holds reports whether the ledger has m as one that is held.
func (c *Check) holds(m Message) bool {
	if c.pos == nil || m.Seq > c.pos.taken {
		return true
	}
	_, held := slices.BinarySearch(c.pos.open, m.First)
	return held
}

// Lost returns how many events the ledger has as held that no message has. A
// channel without a ledger cannot tell.
func (c *Check) Lost() uint64 {
	if c.pos == nil {
		return 0
	}
	held := c.pos.held().Events
	if c.Last > c.pos.put { // stored, and then the process ended before it said so
		held += c.last.Events - c.pos.putTotals.Events
	}
	return held - min(held, c.Held)
}

// LostBefore returns how many of the events that are lost were known to be: losses
// are those that were noted, known the places that the store knows it has lost.
func (c *Check) LostBefore(losses []Loss, known []Places) (events uint64) {
	if c.pos == nil {
		return 0
	}
	noted := make(map[Places]bool)
	for _, l := range losses {
		p := Places{l.First, l.Last}
		inKnown := slices.ContainsFunc(known, func(k Places) bool { return k.First <= p.Last && p.First <= k.Last })
		if inKnown && !noted[p] && p.Last > c.pos.taken {
			noted[p] = true
			events += l.Events
		}
	}
	return min(events, c.Lost())
}

func (c *Check) problem(format string, args ...any) {
	c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
}
