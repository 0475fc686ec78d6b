package channel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
)

// bounds is what a store that was just opened says of itself.
type bounds struct {
	first, last uint64
	totals      Totals // through last; of an empty store unknown
	missing     []Places
}

func (b *bounds) empty() bool { return b.first > b.last }

func findBounds(ctx context.Context, s Store) (b bounds, err error) {
	if b.first, b.last, err = s.Bounds(ctx); err != nil {
		return b, err
	}
	for {
		b.missing = s.Missing()
		for n := len(b.missing); n > 0 && b.missing[n-1].Last >= b.last; n-- { // what is lost at the end is its end
			b.last = b.missing[n-1].First - 1
			b.missing = b.missing[:n-1]
		}
		if b.empty() {
			return b, nil
		}
		m, err := readOne(ctx, s, b.last)
		if err == nil {
			b.totals, b.missing = m.Totals, slices.DeleteFunc(s.Missing(), func(p Places) bool { return p.First > b.last })
			return b, nil
		}
		// Reading may be what finds the damage.
		if !errors.Is(err, errMissing) || !slices.ContainsFunc(s.Missing(), func(p Places) bool { return p.Last >= b.last }) {
			return b, err
		}
	}
}

// readOne returns the message that has the place at.
func readOne(ctx context.Context, s Store, at uint64) (Message, error) {
	read, err := s.Read(ctx, at, 0)
	if err != nil {
		return Message{}, err
	}
	if len(read) == 0 || read[0].First > at {
		return Message{}, fmt.Errorf("message %d: %w", at, errMissing)
	}
	return read[0], nil
}

// errMissing is wrapped by readOne's error for a message that is not there.
var errMissing = errors.New("it is missing from the store")

// recover finds out where the channel stood.
func (c *Queue) recover(ctx context.Context) error {
	found, err := findBounds(ctx, c.store)
	if err != nil {
		return err
	}
	if err := c.place(ctx, found); err != nil {
		return err
	}
	if err := c.settle(ctx, found); err != nil {
		return err
	}
	for _, first := range c.pos.open {
		c.returned = append(c.returned, &entry{first: first, seq: first})
	}
	c.trimmed = found.first - 1
	if c.conf.Dir.readOnly() {
		return nil
	}
	if c.ledger != nil {
		return c.ledger.write(&c.pos)
	}
	if c.conf.Dir != nil {
		c.ledger, err = createLedger(c.conf.Dir.ledger(), &c.pos)
	}
	return err
}

// place takes the position from the ledger.
func (c *Queue) place(ctx context.Context, found bounds) error {
	if c.conf.Dir == nil {
		return c.beginAt(ctx, found)
	}
	path := c.conf.Dir.ledger()
	var l *ledger
	var p *position
	var err error
	if c.conf.Dir.readOnly() {
		p, err = lookUp(path)
	} else {
		l, p, err = openLedger(path)
	}
	switch {
	case errors.Is(err, ErrDamaged) && c.conf.Store.Aside != "":
		aside, asideErr := c.conf.Dir.setAside(path)
		if asideErr != nil {
			return errors.Join(err, asideErr)
		}
		c.log.Error().Err(err).Str("aside", aside).
			Msg("all events in the store will be delivered, also those that were before")
		return c.beginAt(ctx, found)
	case errors.Is(err, fs.ErrNotExist):
		if !found.empty() {
			c.log.Warn().Str("ledger", path).
				Msg("there is no ledger beside the store: all events in it will be delivered, also those that were before")
		}
		return c.beginAt(ctx, found)
	case err != nil:
		return err
	}
	c.ledger, c.pos = l, *p
	return nil
}

// beginAt places the channel where nothing in the store has been taken.
func (c *Queue) beginAt(ctx context.Context, found bounds) error {
	c.pos.put, c.pos.taken = found.last, found.first-1
	if found.empty() {
		return nil
	}
	before, err := c.totalsBefore(ctx, found.first)
	c.pos.putTotals, c.pos.takenTotals = found.totals, before
	return err
}

// totalsBefore returns the totals of all that was appended before the first
// message at the place from or after it.
func (c *Queue) totalsBefore(ctx context.Context, from uint64) (Totals, error) {
	read, err := c.store.Read(ctx, from, 0)
	if err != nil {
		return Totals{}, err
	}
	if len(read) == 0 {
		return Totals{}, fmt.Errorf("message %d: %w", from, errMissing)
	}
	e, err := c.entry(read[0])
	if err != nil {
		return Totals{}, err
	}
	return e.totals.minus(e.weight), nil
}

// settle makes the position agree with a store that was just opened, and says
// what is lost. c.storeMu is held, and when the channel is in use, c.mu.
func (c *Queue) settle(ctx context.Context, found bounds) error {
	c.resolveDoubt(found.last, found.totals)
	switch {
	case found.last > c.pos.put: // stored, and then the process ended before it said so
		c.pos.put, c.pos.putTotals = found.last, found.totals
	case found.last < c.pos.put:
		if err := c.loseTail(ctx, found); err != nil {
			return err
		}
	}
	if floor := min(c.pos.floor(), found.last); found.first > floor+1 {
		if err := c.loseMiddle(ctx, Places{floor + 1, found.first - 1}); err != nil {
			return err
		}
	}
	for _, gap := range found.missing {
		if err := c.loseMiddle(ctx, gap); err != nil {
			return err
		}
	}
	return nil
}

// hole is a range of places whose messages are lost.
type hole struct {
	Places
	ahead Totals // of what no taker has had
}

// loseTail goes on without the newest messages: the store ends before them. Their
// places will be given to others.
func (c *Queue) loseTail(ctx context.Context, found bounds) error {
	gap, lost := Places{found.last + 1, c.pos.put}, c.held()
	if found.empty() {
		gap.First = min(gap.First, c.pos.floor()+1)
	} else {
		lost = c.pos.putTotals.minus(found.totals)
	}
	if !c.conf.MayLose && c.conf.Dir != nil && c.conf.Store.Aside == "" {
		return fmt.Errorf("%w: it ends at message %d, but %d were committed: messages %d to %d, which held %d events, are missing",
			ErrDamaged, found.last, c.pos.put, gap.First, gap.Last, lost.Events)
	}
	if found.empty() {
		found.totals = c.pos.putTotals
	}
	c.pos.put, c.pos.putTotals = found.last, found.totals
	if c.pos.taken > found.last || found.empty() {
		c.pos.taken, c.pos.takenTotals = found.last, found.totals
	}
	c.ready, c.recent = entries{}, entries{}
	c.holes = slices.DeleteFunc(c.holes, func(h hole) bool { return h.Last > found.last })
	c.report(gap, lost)
	_, err := c.dropOpen(ctx, Places{gap.First, math.MaxUint64})
	return err
}

// loseMiddle goes on without the messages in gap.
func (c *Queue) loseMiddle(ctx context.Context, gap Places) error {
	if gap.Last <= c.pos.floor() || slices.ContainsFunc(c.holes, func(h hole) bool { return h.First <= gap.First && gap.Last <= h.Last }) {
		return nil
	}
	var ahead Totals
	if gap.Last > c.pos.taken {
		after, err := c.totalsBefore(ctx, gap.Last+1)
		if err != nil {
			return err
		}
		before := c.pos.takenTotals
		if gap.First > c.pos.taken+1 {
			m, err := readOne(ctx, c.store, gap.First-1)
			if err != nil {
				return err
			}
			before = m.Totals
		}
		ahead = after.minus(before)
	}
	lost, err := c.dropOpen(ctx, gap)
	if err != nil {
		return err
	}
	if ahead != (Totals{}) {
		c.holes = append(c.holes, hole{gap, ahead})
		slices.SortFunc(c.holes, func(a, b hole) int { return int(a.First) - int(b.First) })
	}
	if lost = lost.plus(ahead); lost != (Totals{}) {
		c.report(gap, lost)
	}
	return nil
}

// lose notes a hole that was come upon while reading. c.mu is held.
func (c *Queue) lose(h hole) {
	if slices.ContainsFunc(c.holes, func(known hole) bool { return known.First <= h.First && h.Last <= known.Last }) {
		return
	}
	if h.ahead == (Totals{}) { // places that were never given to messages
		return
	}
	c.holes = append(c.holes, h)
	c.report(h.Places, h.ahead)
}

// dropOpen gives up those messages in gap that were taken, but not for good, and
// of which nobody has the events any more. It returns what they held.
func (c *Queue) dropOpen(ctx context.Context, gap Places) (lost Totals, err error) {
	inHand := func(first uint64) bool { // or back from there
		i := slices.IndexFunc(c.returned, func(e *entry) bool { return e.first == first })
		return c.ctx != nil && (i < 0 || c.returned[i].batch != nil)
	}
	gone := func(first uint64) bool { return gap.First <= first && first <= gap.Last && !inHand(first) }
	if !slices.ContainsFunc(c.pos.open, gone) {
		return Totals{}, nil
	}
	c.pos.open = slices.DeleteFunc(c.pos.open, gone)
	c.returned = slices.DeleteFunc(c.returned, func(e *entry) bool { return gone(e.first) })
	var left Totals
	for _, first := range c.pos.open {
		m, err := readOne(ctx, c.store, first)
		if errors.Is(err, errMissing) { // its own gap comes later
			continue
		}
		if err != nil {
			return Totals{}, err
		}
		e, err := c.entry(m)
		if err != nil {
			return Totals{}, err
		}
		left = left.plus(e.weight)
	}
	lost = c.pos.openTotals.minus(left)
	c.pos.openTotals = left
	return lost, nil
}

// report says that what was held in gap is lost.
func (c *Queue) report(gap Places, lost Totals) {
	text := fmt.Sprintf("%d events are lost: messages %d to %d of the channel's store are damaged", lost.Events, gap.First, gap.Last)
	if gap.First == gap.Last {
		text = fmt.Sprintf("%d events are lost: message %d of the channel's store is damaged", lost.Events, gap.First)
	}
	c.log.Error().Uint64("events", lost.Events).Uint64("bytes", lost.Bytes).Msg(text)
	if c.conf.Dir == nil {
		return
	}
	if err := c.conf.Dir.noteLoss(gap, lost); err != nil {
		c.log.Error().Err(err).Msg("noting the loss")
	}
}
