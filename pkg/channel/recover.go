package channel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rs/zerolog"
)

// recover finds out where the channel stood.
func (c *Queue) recover(ctx context.Context) error {
	first, last, err := c.store.Bounds(ctx)
	if err != nil {
		return err
	}
	lastTotals, err := c.totalsAt(ctx, last, first)
	if err != nil {
		return err
	}
	if err := c.place(ctx, first, last, lastTotals); err != nil {
		return err
	}
	if last > c.pos.put { // stored, and then the process ended before it said so
		c.pos.put, c.pos.putTotals = last, lastTotals
	}
	for _, seq := range c.pos.open {
		c.returned = append(c.returned, &entry{seq: seq})
	}
	c.trimmed = first - 1
	if c.ledger != nil {
		return c.ledger.write(&c.pos)
	}
	if c.conf.Dir != nil {
		c.ledger, err = createLedger(c.conf.Dir.ledger(), &c.pos)
	}
	return err
}

// place takes the position from the ledger, and checks it against the store.
func (c *Queue) place(ctx context.Context, first, last uint64, lastTotals Totals) error {
	if c.conf.Dir == nil {
		return c.beginAt(ctx, first, last)
	}
	l, p, err := openLedger(c.conf.Dir.ledger())
	if errors.Is(err, fs.ErrNotExist) {
		return c.beginAt(ctx, first, last)
	}
	if err != nil {
		return err
	}
	c.ledger, c.pos = l, *p
	if err := c.checkAgainst(ctx, first, last, lastTotals); err != nil {
		return err
	}
	if last < c.pos.put {
		return c.rewind(ctx, last, lastTotals)
	}
	return nil
}

// totalsAt returns the totals of the last message, none if there is none.
func (c *Queue) totalsAt(ctx context.Context, last, first uint64) (Totals, error) {
	if first > last {
		return Totals{}, nil
	}
	m, err := c.readOne(ctx, last)
	return m.Totals, err
}

func (c *Queue) readOne(ctx context.Context, seq uint64) (Message, error) {
	read, err := c.store.Read(ctx, seq, 0)
	if err != nil {
		return Message{}, err
	}
	if len(read) == 0 || read[0].Seq != seq {
		return Message{}, missing(seq, seq)
	}
	return read[0], nil
}

func missing(from, to uint64) error {
	if from == to {
		return fmt.Errorf("message %d is missing from the store", from)
	}
	return fmt.Errorf("messages %d to %d are missing from the store", from, to)
}

// beginAt places the channel where nothing in the store has been taken.
func (c *Queue) beginAt(ctx context.Context, first, last uint64) error {
	c.pos.put, c.pos.taken = first-1, first-1
	if first > last {
		return nil
	}
	if c.conf.Dir != nil {
		zerolog.Ctx(ctx).Warn().Str("ledger", c.conf.Dir.ledger()).
			Msg("there is no ledger beside the store: all events in it will be delivered, also those that were before")
	}
	m, err := c.readOne(ctx, first)
	if err != nil {
		return err
	}
	b, err := decode(m)
	if err != nil {
		return err
	}
	before := m.Totals.minus(c.limits.weigh(b))
	c.pos.putTotals, c.pos.takenTotals = before, before
	return nil
}

// checkAgainst compares the ledger's position with what the store has.
func (c *Queue) checkAgainst(ctx context.Context, first, last uint64, lastTotals Totals) error {
	if last < c.pos.put {
		lost := c.pos.putTotals.minus(lastTotals)
		if first > last { // the store cannot tell
			lost = c.pos.held()
		}
		err := fmt.Errorf("the store ends at message %d, but %d were committed: %w, which held %d events",
			last, c.pos.put, missing(last+1, c.pos.put), lost.Events)
		if !c.conf.MayLose {
			return err
		}
		zerolog.Ctx(ctx).Error().Msg(err.Error())
	}
	if floor := min(c.pos.floor(), last); first > floor+1 {
		return fmt.Errorf("the store begins at message %d, but only %d were delivered: %w", first, floor, missing(floor+1, first-1))
	}
	return nil
}

// rewind makes the position one that a store which ends at last can have: the
// sequences after it will be given to new messages.
func (c *Queue) rewind(ctx context.Context, last uint64, lastTotals Totals) error {
	kept := position{put: last, putTotals: lastTotals, taken: c.pos.taken, takenTotals: c.pos.takenTotals}
	if kept.taken >= last {
		kept.taken, kept.takenTotals = last, lastTotals
	}
	for _, seq := range c.pos.open {
		if seq > last {
			break
		}
		m, err := c.readOne(ctx, seq)
		if err != nil {
			return err
		}
		b, err := decode(m)
		if err != nil {
			return err
		}
		kept.open = append(kept.open, seq)
		kept.openTotals = kept.openTotals.plus(c.limits.weigh(b))
	}
	c.pos = kept
	return nil
}
