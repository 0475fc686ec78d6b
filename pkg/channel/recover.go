package channel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// bounds is what a store that was just opened says of itself.
type bounds struct {
	first, last uint64
	end         uint64 // the last message there ever was, which may be lost
	totals      Totals // through last; of an empty store unknown
	// begin is First of the first message that is whole. The totals of all that was
	// appended before it are only looked up if something is missing there.
	begin  uint64
	before Totals
	gaps   []gap // between begin and last
	whole  bool  // nothing is missing
}

// gap is a range of places whose messages are lost, between two that are whole.
type gap struct {
	Places
	before, after Totals // of all that was appended up to it, and with it
}

func (b *bounds) empty() bool { return b.first > b.last }

// findBounds looks at a store. What is missing up to the place floor is of no
// interest.
func (c *Queue) findBounds(ctx context.Context, s Store, floor uint64) (bounds, error) {
	for {
		missing := s.Missing()
		b, err := c.boundsOf(ctx, s, missing, floor)
		// Reading may be what finds the damage.
		if !errors.Is(err, errMissing) || slices.Equal(missing, s.Missing()) {
			return b, err
		}
	}
}

func (c *Queue) boundsOf(ctx context.Context, s Store, missing []Places, floor uint64) (b bounds, err error) {
	if b.first, b.last, err = s.Bounds(ctx); err != nil {
		return b, err
	}
	b.end, b.whole = b.last, len(missing) == 0
	missing = joined(missing)
	if n := len(missing); n > 0 && missing[n-1].Last >= b.last { // what is lost at the end is its end
		b.last = missing[n-1].First - 1
		missing = missing[:n-1]
	}
	if b.empty() {
		return b, nil
	}
	last, err := readOne(ctx, s, b.last)
	if err != nil {
		return b, err
	}
	b.totals = last.Totals
	b.begin = b.first
	if len(missing) > 0 && missing[0].First <= b.first {
		b.begin = missing[0].Last + 1
		missing = missing[1:]
	}
	if b.begin > floor+1 {
		if b.before, err = c.totalsBefore(ctx, s, b.begin); err != nil {
			return b, err
		}
	}
	for _, p := range missing {
		if p.Last <= floor {
			continue
		}
		g := gap{Places: p}
		if g.after, err = c.totalsBefore(ctx, s, p.Last+1); err != nil {
			return b, err
		}
		before, err := readOne(ctx, s, p.First-1)
		if err != nil {
			return b, err
		}
		g.before = before.Totals
		b.gaps = append(b.gaps, g)
	}
	return b, nil
}

// joined returns places in order, and as one those that follow each other.
func joined(places []Places) (all []Places) {
	places = slices.SortedFunc(slices.Values(places), func(a, b Places) int { return cmp.Compare(a.First, b.First) })
	for _, p := range places {
		if n := len(all); n > 0 && p.First <= all[n-1].Last+1 {
			all[n-1].Last = max(all[n-1].Last, p.Last)
		} else {
			all = append(all, p)
		}
	}
	return all
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

// totalsBefore returns the totals of all that was appended before the message that
// has the place at.
func (c *Queue) totalsBefore(ctx context.Context, s Store, at uint64) (Totals, error) {
	e, err := c.readEntry(ctx, s, at)
	if err != nil {
		return Totals{}, err
	}
	return e.totals.minus(e.weight), nil
}

// readEntry is readOne for a message that goes to a taker, or is weighed.
func (c *Queue) readEntry(ctx context.Context, s Store, at uint64) (*entry, error) {
	m, err := readOne(ctx, s, at)
	if err != nil {
		return nil, err
	}
	return c.entry(m)
}

// recover finds out where the channel stood.
func (c *Queue) recover(ctx context.Context) error {
	known, err := c.openLedger()
	if err != nil {
		return err
	}
	found, err := c.findBounds(ctx, c.store, c.pos.floor())
	if err != nil {
		return err
	}
	if !known {
		c.beginAt(found)
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

// openLedger takes the position from the ledger, and reports whether it tells one.
func (c *Queue) openLedger() (known bool, err error) {
	if c.conf.Dir == nil {
		return false, nil
	}
	path := c.conf.Dir.ledger()
	var l *ledger
	var p *position
	if c.conf.Dir.readOnly() {
		p, err = lookUp(path)
	} else {
		l, p, err = openLedger(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, ErrDamaged) && c.conf.Store.Aside != "":
		aside, asideErr := c.conf.Dir.setAside(path)
		if asideErr != nil {
			return false, errors.Join(err, asideErr)
		}
		c.log.Error().Err(err).Str("aside", aside).Msg("the channel's ledger is set aside")
		return false, nil
	case err != nil:
		return false, err
	}
	c.ledger, c.pos = l, *p
	return true, nil
}

// beginAt places a channel that no ledger tells of where nothing in the store has
// been taken.
func (c *Queue) beginAt(found bounds) {
	if c.conf.Dir != nil && !found.empty() {
		c.log.Warn().Str("ledger", c.conf.Dir.ledger()).
			Msg("there is no ledger beside the store: all events in it will be delivered, also those that were before")
	}
	c.pos.put, c.pos.putTotals = found.last, found.totals
	c.pos.taken = found.first - 1
	if found.first > 1 { // what was lost right behind it, nobody can tell
		c.pos.takenTotals = found.before
	}
}

// settle makes the position agree with a store that was just opened, and says
// what is lost. c.storeMu is held, and when the channel is in use, c.mu.
func (c *Queue) settle(ctx context.Context, found bounds) error {
	c.resolveDoubt(found.last, found.totals)
	c.end = found.end
	whole := found.whole
	if found.last < c.pos.put || found.empty() && c.pos.floor() < c.pos.put {
		if err := c.loseTail(found); err != nil {
			return err
		}
		whole = false
	}
	switch {
	case found.empty():
		c.pos.put, c.pos.taken = found.last, found.last
	case found.last > c.pos.put: // stored, and then the process ended before it said so
		c.pos.put, c.pos.putTotals = found.last, found.totals
	}
	if floor := c.pos.floor(); !found.empty() && found.begin > floor+1 {
		c.loseMiddle(gap{Places: Places{floor + 1, found.begin - 1}, after: found.before})
		whole = false
	}
	for _, g := range found.gaps {
		c.loseMiddle(g)
	}
	if whole {
		return nil
	}
	return c.loseOpen(ctx)
}

// loseTail goes on without the newest messages: the store ends before them.
func (c *Queue) loseTail(found bounds) error {
	from, end := found.last, found.totals
	if found.empty() {
		from, end = min(from, c.pos.floor()), c.pos.putTotals
	}
	lost := Places{from + 1, c.pos.put}
	// Where all is taken for good, a kill may have left a part of what was being
	// trimmed, and not the end of it.
	if c.pos.floor() < c.pos.put && !c.conf.MayLose && c.conf.Dir != nil && c.conf.Store.Aside == "" {
		held := c.pos.putTotals.minus(end)
		if found.empty() {
			held = c.held()
		}
		return fmt.Errorf("%w: it ends at message %d, but %d were committed: messages %d to %d, which held %d events, are missing",
			ErrDamaged, found.last, c.pos.put, lost.First, lost.Last, held.Events)
	}
	ahead := c.pos.putTotals.minus(end)
	if found.empty() || c.pos.taken > from {
		ahead = c.pos.putTotals.minus(c.pos.takenTotals)
		c.pos.taken, c.pos.takenTotals = from, end
	}
	c.pos.put, c.pos.putTotals = found.last, end
	c.holes = slices.DeleteFunc(c.holes, func(h hole) bool {
		if h.Last <= from {
			return false
		}
		ahead = ahead.minus(h.ahead)
		return true
	})
	c.ready, c.recent = entries{}, entries{}
	c.report(lost, ahead)
	return nil
}

// loseMiddle goes on without the messages in g.
func (c *Queue) loseMiddle(g gap) {
	switch {
	case g.Last <= c.pos.taken:
		return
	case g.First <= c.pos.taken+1:
		g.First, g.before = c.pos.taken+1, c.pos.takenTotals
	}
	c.miss(hole{g.Places, g.after.minus(g.before)})
}

// hole is a range of places whose messages are lost.
type hole struct {
	Places
	ahead Totals // of what no taker has had
}

func (h hole) in(o hole) bool { return o.First <= h.First && h.Last <= o.Last }

// miss notes a hole, and reports what of it was not known before. c.mu is held.
func (c *Queue) miss(h hole) {
	if h.ahead == (Totals{}) || slices.ContainsFunc(c.holes, h.in) {
		return
	}
	lost := h.ahead
	c.holes = slices.DeleteFunc(c.holes, func(known hole) bool {
		if !known.in(h) {
			return false
		}
		lost = lost.minus(known.ahead)
		return true
	})
	c.holes = append(c.holes, h)
	slices.SortFunc(c.holes, func(a, b hole) int { return cmp.Compare(a.First, b.First) })
	// Each process finds it again, until takers have passed it. One that finds more
	// beside it reports it once more.
	if c.conf.Dir == nil || !c.conf.Dir.noted(h.Places, lost) {
		c.report(h.Places, lost)
	}
}

// loseOpen gives up those messages that were taken, but not for good, and of which
// nobody has the events any more.
func (c *Queue) loseOpen(ctx context.Context) error {
	var left Totals
	var gone []uint64
	for _, first := range c.pos.open {
		weight, err := c.weighOpen(ctx, first)
		switch {
		case errors.Is(err, errMissing):
			gone = append(gone, first)
		case err != nil:
			return err
		}
		left = left.plus(weight)
	}
	if len(gone) == 0 {
		return nil
	}
	isGone := func(first uint64) bool { return slices.Contains(gone, first) }
	c.pos.open = slices.DeleteFunc(c.pos.open, isGone)
	c.returned = slices.DeleteFunc(c.returned, func(e *entry) bool { return isGone(e.first) })
	lost := c.pos.openTotals.minus(left)
	c.pos.openTotals = left
	c.report(Places{gone[0], gone[len(gone)-1]}, lost)
	return nil
}

// weighOpen returns what the open message first weighs. Its error wraps errMissing if
// that is neither in memory nor in the store.
func (c *Queue) weighOpen(ctx context.Context, first uint64) (Totals, error) {
	for _, e := range c.returned {
		if e.first == first && e.batch != nil {
			return e.weight, nil
		}
	}
	for t := range c.takers {
		if take, ok := t.held[first]; ok {
			return take.entry.weight, nil
		}
	}
	e, err := c.readEntry(ctx, c.store, first)
	if err != nil {
		return Totals{}, err
	}
	return e.weight, nil
}

// report says that what was held in gap is lost.
func (c *Queue) report(gap Places, lost Totals) {
	if lost == (Totals{}) { // it was delivered before, or never given to a message
		return
	}
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
