package channel

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// Inspector is implemented by channels that tell how they are.
type Inspector interface {
	// Stat returns what the channel knows of itself. It disturbs nobody.
	Stat(ctx context.Context) (Stat, error)
}

// Browser is implemented by channels that show what they hold.
type Browser interface {
	// Browse ranges over the batches of a span, oldest first, and takes none
	// of them: whoever takes and puts meanwhile goes on. It ends with what
	// was put last when it began; what is forgotten meanwhile is left out.
	//
	// A Shown belongs to the caller. With an error that wraps
	// event.ErrMalformed the Shown says which batch is damaged, and more
	// may follow; any other error is the last.
	Browse(ctx context.Context, span Span) iter.Seq2[Shown, error]
}

// Purger is implemented by channels that can discard what they hold.
type Purger interface {
	// Purge forgets every batch that is held and in no taker's hands, all or
	// none whatever happens, and returns what that was.
	Purge(ctx context.Context) (Totals, error)
}

// Stat is how a channel is at one moment.
type Stat struct {
	Kind    string `json:"type,omitempty"`
	Dir     string `json:"dir,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Process int    `json:"process,omitempty"` // that has it; 0: the one that asks

	Held     Totals     `json:"held"`
	Capacity *Capacity  `json:"capacity,omitempty"` // nil: not known, the channel is at rest
	InHand   InHand     `json:"in_hand"`
	Oldest   *time.Time `json:"oldest,omitempty"` // when the oldest held batch was put; nil: nothing is held
	Put      Totals     `json:"put"`              // ever
	Taken    Totals     `json:"taken"`            // for good, ever, and what was purged

	Putters int `json:"putters"` // there are just now
	Takers  int `json:"takers"`
	Waiting int `json:"waiting"` // puts that wait for room

	First uint64 `json:"first"` // place of the oldest message in the store
	Last  uint64 `json:"last"`  // and of the newest; before First: there is none

	Retain   float64    `json:"retain_seconds"`     // how long what was taken is kept
	Retained *time.Time `json:"retained,omitempty"` // when the oldest message in the store was put

	Lost []Loss `json:"lost,omitempty"` // to damage, oldest first
	Down *Down  `json:"down,omitempty"` // nil: the store works
}

// Capacity is the bounds of what a channel holds; 0 is no bound.
type Capacity struct {
	Events      int   `json:"events"`
	Bytes       int64 `json:"bytes"`
	Transaction int   `json:"transaction"`
}

// InHand is what takers have and have not committed. It counts as held.
type InHand struct {
	Batches int `json:"batches"`
	Totals
}

// Down is why a channel's store does not work.
type Down struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// Span is a part of what is in a channel. The zero Span is all that is held.
type Span struct {
	// Since, if it is not zero, makes it all that was put at that time or
	// later, taken or not, as far as the store still has it.
	Since time.Time `json:"since,omitzero"`
	// Last, if it is not 0, makes it the newest events that are held, so
	// many of them. It does not go with Since.
	Last int `json:"last,omitempty"`
}

// Shown is a batch in a channel.
type Shown struct {
	Seq   uint64       `json:"seq"`
	Time  time.Time    `json:"time"` // when it was put
	State State        `json:"state"`
	Batch *event.Batch `json:"-"` // nil: damaged
}

// State is where a batch is between put and taken.
type State string

const (
	Waiting State = "waiting" // for a taker
	Held    State = "in hand" // of a taker who has not committed it
	Taken   State = "taken"   // for good, and still in the store
)

// Stat implements Inspector.
func (c *Queue) Stat(ctx context.Context) (Stat, error) {
	s := Stat{Capacity: &Capacity{Events: c.limits.Events, Bytes: c.limits.Bytes, Transaction: c.limits.Transaction},
		Retain: c.conf.Retain.Seconds()}
	if err := c.weighReturned(ctx); err != nil && ctx.Err() != nil {
		return s, err
	}
	c.mu.Lock()
	err := c.err
	floor, last := c.pos.floor(), c.pos.put
	s.Held, s.Put = c.held(), c.pos.putTotals
	s.Taken = s.Put.minus(c.pos.held())
	s.InHand.Totals, s.InHand.Batches = c.pos.openTotals, len(c.pos.open)-len(c.returned)
	for _, e := range c.returned {
		s.InHand.Totals = s.InHand.minus(e.weight)
	}
	s.Putters, s.Takers, s.Waiting = c.putters, len(c.takers), c.waiting.len()
	if t := &c.trouble; t.err != nil {
		s.Down = &Down{Since: t.since, Reason: t.err.Error()}
	}
	c.mu.Unlock()
	if err == nil && c.conf.Dir != nil {
		s.Lost, err = c.conf.Dir.Losses()
		s.Lost = slices.CompactFunc(s.Lost, func(a, b Loss) bool { // found again, by the next process
			return a.First == b.First && a.Last == b.Last && a.Events == b.Events
		})
	}
	if err != nil {
		return s, err
	}
	return s, c.statStore(ctx, &s, floor, last)
}

// statStore sets what the store knows.
func (c *Queue) statStore(ctx context.Context, s *Stat, floor, last uint64) error {
	err := c.look(ctx, func(store Store) (err error) {
		if s.First, s.Last, err = store.Bounds(ctx); err != nil {
			return err
		}
		if s.First > s.Last {
			return nil
		}
		if m, err := messageFrom(ctx, store, s.First); err != nil {
			return err
		} else if m != nil {
			s.Retained = &m.Time
		}
		if s.Held.Events == 0 || floor >= last {
			return nil
		}
		m, err := messageFrom(ctx, store, floor+1)
		if m != nil {
			s.Oldest = &m.Time
		}
		return err
	})
	if err != nil && s.Down == nil {
		return err
	}
	return nil // a store that does not work says so by Down
}

// look lends the store to one who only reads. That he cannot is no reason to open it
// again: those who need it will find out.
func (c *Queue) look(ctx context.Context, f func(Store) error) error {
	c.storeMu.RLock()
	defer c.storeMu.RUnlock()
	if c.store == nil {
		return errStoreClosed
	}
	if err := f(c.store); err != nil {
		return err
	}
	return ctx.Err()
}

// messageFrom returns the first message whose Seq is from or more, nil if there is
// none.
func messageFrom(ctx context.Context, s Store, from uint64) (*Message, error) {
	read, err := s.Read(ctx, from, 0)
	if err != nil || len(read) == 0 {
		return nil, err
	}
	return &read[0], nil
}

// weighReturned finds out what batches weigh that were in takers' hands when the
// process before ended, and that nobody has taken since.
func (c *Queue) weighReturned(ctx context.Context) error {
	for {
		c.mu.Lock()
		i := slices.IndexFunc(c.returned, func(e *entry) bool { return e.weight == Totals{} })
		if i < 0 {
			c.mu.Unlock()
			return nil
		}
		e := c.returned[i]
		c.mu.Unlock()
		var found *entry
		err := c.look(ctx, func(s Store) (err error) {
			found, err = c.readEntry(ctx, s, e.first)
			return err
		})
		if err != nil {
			return err
		}
		c.mu.Lock()
		e.weight = found.weight
		c.mu.Unlock()
	}
}

// How much is read at a time for one who browses: little at first, since he may only
// want to see the first, and then twice as much each time.
const (
	firstBrowse   = 64 << 10
	longestBrowse = 4 << 20
)

// Browse implements Browser.
func (c *Queue) Browse(ctx context.Context, span Span) iter.Seq2[Shown, error] {
	return func(yield func(Shown, error) bool) {
		b, err := c.begin(ctx, span)
		if err != nil {
			yield(Shown{}, err)
			return
		}
		for b.from <= b.through {
			shown, err := b.read(ctx)
			if err != nil {
				yield(Shown{}, err)
				return
			}
			if shown == nil {
				return
			}
			for _, s := range shown {
				if b.skip > 0 && s.Batch != nil {
					if s.Batch = less(s.Batch, &b.skip); s.Batch == nil {
						continue
					}
				}
				var damage error
				if s.Batch == nil {
					damage = fmt.Errorf("message %d: %w", s.Seq, event.ErrMalformed)
				}
				if !yield(s, damage) {
					return
				}
			}
		}
	}
}

// browse is where one who browses has come.
type browse struct {
	c             *Queue
	from, through uint64 // places
	bytes         int    // to be read at once
	skip          int    // events
	taken         bool   // batches that are taken are shown, too
}

// begin finds where a span begins.
func (c *Queue) begin(ctx context.Context, span Span) (*browse, error) {
	c.mu.Lock()
	b := &browse{c: c, bytes: firstBrowse, from: c.pos.floor() + 1, through: c.pos.put, taken: !span.Since.IsZero()}
	held := c.held()
	ahead := c.pos.putTotals.minus(c.pos.takenTotals)
	taken, put := c.pos.taken, c.pos.putTotals
	c.mu.Unlock()
	switch {
	case b.taken:
		err := c.look(ctx, func(s Store) (err error) {
			b.from, err = s.Since(ctx, span.Since)
			return err
		})
		return b, err
	case span.Last == 0 || uint64(span.Last) >= held.Events:
		return b, nil
	case uint64(span.Last) >= ahead.Events:
		b.skip = int(held.Events) - span.Last
		return b, nil
	}
	// The totals tell in which message the first of the last events is.
	before := put.Events - uint64(span.Last)
	low, high := taken+1, b.through
	for low < high {
		middle := low + (high-low)/2
		var m *Message
		err := c.look(ctx, func(s Store) (err error) {
			m, err = messageFrom(ctx, s, middle)
			return err
		})
		if err != nil {
			return nil, err
		}
		if m == nil || m.Totals.Events > before {
			high = middle
			continue
		}
		low = m.Seq + 1
	}
	b.from = low
	err := c.look(ctx, func(s Store) error {
		m, err := messageFrom(ctx, s, low)
		if err != nil || m == nil {
			return err
		}
		if batch, err := decode(*m); err == nil {
			b.skip = max(0, batch.Len()-int(m.Totals.Events-before))
		}
		return nil
	})
	return b, err
}

// read returns the next batches; nil when there are no more.
func (b *browse) read(ctx context.Context) ([]Shown, error) {
	var read []Message
	err := b.c.look(ctx, func(s Store) (err error) {
		read, err = s.Read(ctx, b.from, b.bytes)
		return err
	})
	if err != nil || len(read) == 0 {
		return nil, err
	}
	b.bytes = min(2*b.bytes, longestBrowse)
	shown := make([]Shown, 0, len(read))
	b.c.mu.Lock()
	for _, m := range read {
		if m.First > b.through {
			break
		}
		state := b.c.state(m)
		b.from = m.Seq + 1
		if state != Taken || b.taken {
			shown = append(shown, Shown{Seq: m.Seq, Time: m.Time, State: state, Batch: new(event.Batch)})
		}
	}
	b.c.mu.Unlock()
	if b.from <= read[0].Seq { // all of it was put since
		return nil, nil
	}
	for i, m := 0, 0; i < len(shown); m++ {
		if read[m].Seq == shown[i].Seq {
			if err := shown[i].Batch.Decode(read[m].Data); err != nil {
				shown[i].Batch = nil
			}
			i++
		}
	}
	return shown, nil
}

// state returns the state of a message. c.mu is held.
func (c *Queue) state(m Message) State {
	if m.Seq > c.pos.taken {
		return Waiting
	}
	if _, open := slices.BinarySearch(c.pos.open, m.First); !open {
		return Taken
	}
	if slices.ContainsFunc(c.returned, func(e *entry) bool { return e.first == m.First }) {
		return Waiting
	}
	return Held
}

// less returns b without its first skip events, nil if that is all of them, and
// takes them off skip.
func less(b *event.Batch, skip *int) *event.Batch {
	n := *skip
	if n >= b.Len() {
		*skip -= b.Len()
		return nil
	}
	*skip = 0
	rest := new(event.Batch)
	i := 0
	for e := range b.All() {
		if i++; i > n {
			rest.Append(e)
		}
	}
	return rest
}

// Purge implements Purger.
func (c *Queue) Purge(ctx context.Context) (Totals, error) {
	if c.conf.Dir.readOnly() {
		return Totals{}, c.conf.Dir.unwritten
	}
	if err := c.weighReturned(ctx); err != nil {
		return Totals{}, err
	}
	purged, ledger, err := c.forget()
	if err == nil && ledger != nil {
		err = ledger.sync()
	}
	if err != nil {
		return purged, fmt.Errorf("purging the channel: %w", err)
	}
	return purged, nil
}

// forget makes everything taken that nobody has. What is written down first is
// what counts after a crash.
func (c *Queue) forget() (Totals, *ledger, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return Totals{}, nil, err
	}
	before := c.held()
	next := position{
		put: c.pos.put, putTotals: c.pos.putTotals,
		taken: c.pos.put, takenTotals: c.pos.putTotals,
		openTotals: c.pos.openTotals,
	}
	for _, first := range c.pos.open {
		i := slices.IndexFunc(c.returned, func(e *entry) bool { return e.first == first })
		if i < 0 {
			next.open = append(next.open, first)
			continue
		}
		next.openTotals = next.openTotals.minus(c.returned[i].weight)
	}
	if c.ledger != nil {
		if err := c.ledger.write(&next); err != nil {
			return Totals{}, nil, err
		}
	}
	c.pos = next
	c.holes, c.returned, c.ready, c.recent = nil, nil, entries{}, entries{}
	purged := before.minus(c.held())
	c.untrimmed += int64(purged.Bytes)
	c.admitWaiting()
	c.wakeAll()
	c.touch()
	return purged, c.ledger, nil
}
