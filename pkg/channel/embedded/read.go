package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/msgblock"
)

// cursor is where reading has come to, so that the next Read that goes on there
// finds the block in memory.
type cursor struct {
	from    uint64 // the next message's First, between two calls of Read
	place   uint64 // the next record
	segment *segment
	upTo    uint64 // the last place that next gives
	next    func() (msgblock.Message, error, bool)
	stop    func()
}

func (c *cursor) close() {
	if c != nil && c.next != nil {
		c.stop()
		c.next = nil
	}
}

// lost is that something is not there that should be. It is looked for, and
// reading begins again.
type lost struct{ places channel.Places }

func (l lost) Error() string {
	return fmt.Sprintf("places %d to %d hold nothing", l.places.First, l.places.Last)
}

// Read implements channel.Store.
func (s *Store) Read(ctx context.Context, from uint64, most int) (read []channel.Message, err error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	err = s.repairing(ctx, func() error {
		read, err = s.read(ctx, from, most)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the store from %d: %w", from, err)
	}
	return read, nil
}

// repairing does what needs reading again when something was lost, once it is
// known what. s.reading is held.
func (s *Store) repairing(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		s.cursor.close()
		s.cursor = nil
		var gap lost
		if !errors.As(err, &gap) {
			return err
		}
		if err := s.repair(ctx, gap.places); err != nil {
			return err
		}
	}
}

func (s *Store) read(ctx context.Context, from uint64, most int) (read []channel.Message, err error) {
	s.mu.Lock()
	first, last := s.bounds()
	missing := s.missing()
	s.mu.Unlock()
	from = max(from, first)
	c := s.cursor
	if c == nil || c.from != from {
		c.close()
		c = &cursor{place: from}
		s.cursor = c
	}
	expected, begun := from, false
	var a assembly
	for size := 0; size <= most && expected <= last; {
		m, err := s.nextRecord(ctx, c, last)
		if err != nil {
			return nil, err
		}
		if m == nil {
			if !covered(missing, expected, last) {
				return nil, lost{channel.Places{First: expected, Last: last}}
			}
			expected = last + 1
			break
		}
		if !begun && m.Seq == from {
			begun = true
			if h, err := parseHeading(m); err == nil && h.part > 0 { // from is inside of a message
				c.close()
				c.place = from - h.part
				continue
			}
		}
		message, err := a.add(m)
		if err != nil {
			zerolog.Ctx(s.ctx).Error().Err(err).Msg("passing over what is no message")
		}
		if message == nil || message.Seq < from {
			continue
		}
		if message.First > expected && !covered(missing, expected, message.First-1) {
			return nil, lost{channel.Places{First: expected, Last: message.First - 1}}
		}
		if !whole(message.Data) {
			if places := (channel.Places{First: message.First, Last: message.Seq}); !covered(missing, places.First, places.Last) {
				return nil, lost{places}
			}
			continue
		}
		expected = message.Seq + 1
		size += max(1, len(message.Data))
		read = append(read, *message)
	}
	c.from = expected
	return read, nil
}

// covered reports whether all places from first to last are missing.
func covered(missing []channel.Places, first, last uint64) bool {
	for _, p := range missing {
		if p.First <= first && first <= p.Last {
			first = p.Last + 1
		}
	}
	return first > last
}

// nextRecord returns the next record up to the place last, nil if there is none.
func (s *Store) nextRecord(ctx context.Context, c *cursor, last uint64) (*msgblock.Message, error) {
	for c.place <= last {
		if c.next == nil {
			g, next := s.segmentAt(c.place)
			if g == nil {
				return nil, nil
			}
			c.place = max(c.place, g.first)
			if err := s.look(ctx, g, last); err != nil {
				return nil, err
			}
			if c.upTo = min(g.report.Last, last); c.place > c.upTo {
				if next == nil {
					return nil, nil
				}
				c.place = next.first
				continue
			}
			c.segment = g
			c.next, c.stop = iter.Pull2(g.report.Read(s.ctx, c.place, c.upTo))
		}
		m, err, ok := c.next()
		if err != nil {
			return nil, s.unread(ctx, c, err)
		}
		if ok {
			c.place = m.Seq + 1
			return &m, nil
		}
		c.close()
		c.place = c.upTo + 1
	}
	return nil, nil
}

// unread is what to do about a segment that cannot be read: look for damage,
// once.
func (s *Store) unread(ctx context.Context, c *cursor, err error) error {
	if c.segment.searched || ctx.Err() != nil || s.ctx.Err() != nil {
		return err
	}
	return lost{channel.Places{First: c.place, Last: c.place}}
}

// segmentAt returns the segment that a place is in, or is before, and the one
// that follows.
func (s *Store) segmentAt(place uint64) (g, next *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.segments {
		if i+1 < len(s.segments) {
			if next = s.segments[i+1]; next.first <= place {
				continue
			}
			return one, next
		}
		return one, nil
	}
	return nil, nil
}

// look sees that the report of a segment is there and, of the segment that is
// written, that it goes as far as last. s.reading is held.
func (s *Store) look(ctx context.Context, g *segment, last uint64) error {
	s.mu.Lock()
	opt, live := g.options(), !g.state.Closed
	upTo := min(last, g.state.Last)
	if live {
		upTo = s.place
		opt.Want = msgblock.Range{First: max(g.first, g.state.First, s.trimmed+1), Last: s.place}
		if opt.Want.First > opt.Want.Last {
			opt.Want = msgblock.Range{}
		}
	}
	s.mu.Unlock()
	if g.report != nil && !g.stale && g.seen >= min(last, upTo) {
		return nil
	}
	fresh := g.report == nil
	err := g.look(ctx, opt)
	var d *damaged
	switch {
	case errors.As(err, &d) && live:
		// It may only have been seen half done. Closed, it stands still.
		if err := s.retireFor(ctx, g); err != nil {
			return err
		}
		return s.look(ctx, g, last)
	case errors.As(err, &d):
		return s.mend(ctx, g, d)
	case err != nil:
		return err
	case fresh && !live:
		g.vouch(ctx)
	}
	g.seen = upTo
	return nil
}

// retireFor closes the segment g, if it is the one that is written.
func (s *Store) retireFor(ctx context.Context, g *segment) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	g.stale = true
	if s.writer == nil || s.segments[len(s.segments)-1] != g {
		return nil
	}
	return s.retire(ctx)
}

// mend mends a segment that is not written. s.reading is held.
func (s *Store) mend(ctx context.Context, g *segment, d *damaged) error {
	mended := *g
	if err := mended.mend(ctx, d, s.conf.Aside); err != nil {
		return err
	}
	mended.save(ctx)
	s.mu.Lock()
	*g = mended
	s.mu.Unlock()
	return nil
}

// repair looks for damage in all of the segments that places are in, and notes
// that they are lost if that does not explain it. s.reading is held.
func (s *Store) repair(ctx context.Context, places channel.Places) error {
	s.mu.Lock()
	segments := slices.Clone(s.segments)
	s.mu.Unlock()
	for i, g := range segments {
		if g.first > places.Last || i+1 < len(segments) && segments[i+1].first <= places.First || g.searched {
			continue
		}
		if err := s.retireFor(ctx, g); err != nil {
			return err
		}
		g.searched, g.report = true, nil
		if err := s.look(ctx, g, places.Last); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if covered(s.missing(), places.First, places.Last) || len(segments) == 0 {
		return nil
	}
	g := segments[0]
	for _, one := range segments[1:] {
		if one.first <= places.First {
			g = one
		}
	}
	zerolog.Ctx(s.ctx).Error().Str("segment", g.dir).Uint64("first", places.First).Uint64("last", places.Last).
		Msg("the store is damaged: messages are not there, or not whole, and no file tells why")
	g.state.Missing = append(g.state.Missing, places)
	slices.SortFunc(g.state.Missing, func(a, b channel.Places) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	g.save(ctx)
	return nil
}

// forgetReading lets go of what reading has of a segment, of all if it is nil,
// before its files change. s.reading is held.
func (s *Store) forgetReading(g *segment) {
	if c := s.cursor; c != nil && (g == nil || c.segment == g) {
		c.close()
		s.cursor = nil
	}
	if g != nil {
		g.stale = true
	}
}

// Since implements channel.Store.
func (s *Store) Since(ctx context.Context, t time.Time) (seq uint64, err error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	err = s.repairing(ctx, func() error {
		seq, err = s.since(ctx, t)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("looking for the first message since %v: %w", t, err)
	}
	return seq, nil
}

func (s *Store) since(ctx context.Context, t time.Time) (uint64, error) {
	s.mu.Lock()
	first, last := s.bounds()
	newest := s.time
	segments := slices.DeleteFunc(slices.Clone(s.segments), func(g *segment) bool {
		return g.state.Closed && (!g.holds() || g.state.Time.Before(t))
	})
	s.mu.Unlock()
	if newest.Before(t) {
		return last + 1, nil
	}
	for _, g := range segments {
		if err := s.look(ctx, g, last); err != nil {
			return 0, err
		}
		blocks := slices.DeleteFunc(slices.Clone(g.report.Blocks), func(b msgblock.Block) bool { return len(b.Messages) == 0 })
		var err error
		after := sort.Search(len(blocks), func(i int) bool {
			for m, e := range g.report.Read(ctx, blocks[i].Messages[0].First, blocks[i].Messages[0].First) {
				if err = e; err == nil {
					return !m.Time.Before(t)
				}
			}
			return false
		})
		if err != nil {
			return 0, err
		}
		from := first
		if after > 0 {
			from = max(from, blocks[after-1].Messages[0].First)
		}
		for m, err := range g.report.Read(ctx, from, last) {
			if err != nil {
				return 0, err
			}
			if h, err := parseHeading(&m); err == nil && h.last && !m.Time.Before(t) {
				return m.Seq, nil
			}
		}
	}
	return last + 1, nil
}
