package channel

import (
	"context"
	"io"
)

// spillTaker is the Taker of a Spill.
type spillTaker struct {
	s         *Spill
	mem, disk *taker

	last bool // under s.mu
}

// Taker implements Channel.
func (s *Spill) Taker() Taker {
	return &spillTaker{s: s, mem: s.mem.Taker().(*taker), disk: s.disk.Taker().(*taker)}
}

// Last implements Taker.
func (t *spillTaker) Last() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.last = true
	t.s.changed.Broadcast()
}

// Take implements Taker.
func (t *spillTaker) Take(ctx context.Context) (Take, error) {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := false
	for {
		for _, from := range []*taker{t.mem, t.disk} {
			if err := from.usable(ctx); err != nil {
				return nil, err
			}
		}
		if from, e := t.next(); e != nil {
			if take, err := from.have(ctx, e); take != nil || err != nil {
				return take, err
			}
			continue
		}
		if t.last && s.idle() {
			return nil, io.EOF
		}
		if !waiting {
			waiting = true
			defer context.AfterFunc(ctx, s.wakeTakers)()
		}
		s.changed.Wait()
	}
}

// next removes and returns the oldest entry that no taker has, and the taker that is
// to have it; nil if it cannot be had yet. s.mu is held.
func (t *spillTaker) next() (*taker, *entry) {
	first, second := t.mem, t.disk
	if !t.s.overflow { // what lies on disk is the last process's
		first, second = second, first
	}
	if e := first.c.nextEntry(); e != nil {
		return first, e
	}
	if !first.c.handedOut() {
		return nil, nil
	}
	return second, second.c.nextEntry()
}

// handedOut reports whether takers have all that is held, and nothing is on its way
// in. c.mu is held.
func (c *Queue) handedOut() bool {
	return len(c.returned) == 0 && c.reserved == Totals{} && c.held() == c.pos.openTotals
}

// Close implements Taker.
func (t *spillTaker) Close() {
	t.mem.Close()
	t.disk.Close()
}
