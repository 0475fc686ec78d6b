package channel

import (
	"container/list"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// spillPutter is the Putter of a Spill.
type spillPutter struct {
	s         *Spill
	mem, disk *putter

	closed bool // under s.mu
}

// spillPut is a batch that waits to be handed to one of the queues.
type spillPut struct {
	from           *spillPutter
	wait           bool
	batch          *event.Batch
	inMemory, disk Totals // its weight in either
	fits           bool   // into an empty memory
	done           func(error)
	place          *list.Element // in the list of those that wait, if it is there
	timer          *time.Timer
	overdue        bool // it is not to wait for memory any more
}

// Putter implements Channel.
func (s *Spill) Putter() Putter {
	return &spillPutter{s: s, mem: s.mem.Putter().(*putter), disk: s.disk.Putter().(*putter)}
}

// Put implements Putter.
func (p *spillPutter) Put(b *event.Batch, wait bool, done func(error)) {
	s := p.s
	if !s.overflow {
		p.mem.Put(b, wait, done)
		return
	}
	if b.Len() == 0 {
		done(nil)
		return
	}
	size := b.Size() + event.HeadSize
	q := &spillPut{from: p, wait: wait, batch: b, inMemory: s.mem.limits.weigh(b), disk: s.disk.limits.weigh(b), done: done}
	q.fits = s.mem.limits.neverFits(q.inMemory, size, s.mem.maxMessage) == nil
	if err := s.disk.limits.neverFits(q.disk, size, s.disk.maxMessage); err != nil {
		done(err)
		return
	}
	if err := p.enter(q); err != nil {
		done(err)
	}
}

func (p *spillPutter) enter(q *spillPut) error {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if p.closed {
		return ErrClosed
	}
	patience := s.mem.limits.KeepAlive
	if s.spilling || patience <= 0 || !q.fits {
		q.overdue = true
		patience = s.diskPatience()
	}
	s.waiting.push(q)
	s.admit()
	if q.place != nil && !(q.overdue && q.wait) {
		q.timer = time.AfterFunc(patience, func() { s.expire(q) })
	}
	return nil
}

// diskPatience is how long an impatient put waits for room on disk: long enough
// for what is on its way into memory, at least.
func (s *Spill) diskPatience() time.Duration {
	return max(s.disk.limits.KeepAlive, shortPause)
}

// admit hands puts over, in their turn, as far as there is room for them, and sees
// to where they go. A putter's are done in order: while some are on their way into
// one queue, none is handed to the other. s.mu is held.
func (s *Spill) admit() {
	for !s.closed && s.overflow {
		q := s.waiting.front()
		toMemory := q == nil || q.fits && s.mem.noRoom(q.inMemory) == nil
		switch {
		case s.spilling && toMemory && s.diskEmpty():
			s.spilling = false
		case q == nil:
			return
		case !s.spilling && toMemory:
			s.hand(q, s.mem, q.from.mem, q.inMemory, &s.inMemory)
		case !s.spilling && q.overdue:
			s.spilling = true
		case s.spilling && s.inMemory == 0 && s.disk.noRoom(q.disk) == nil:
			s.hand(q, s.disk, q.from.disk, q.disk, &s.onDisk)
		default:
			s.askAgain()
			return
		}
	}
}

// diskEmpty reports whether the disk queue holds nothing and nothing is on its way
// there. s.mu is held.
func (s *Spill) diskEmpty() bool {
	return s.onDisk == 0 && s.disk.trouble.doubt == nil && s.disk.idle()
}

// hand gives q its room in c. s.mu is held.
func (s *Spill) hand(q *spillPut, c *Queue, from *putter, weight Totals, under *int) {
	s.waiting.remove(q)
	*under++
	c.admit(&put{from: from, wait: q.wait, batch: q.batch, weight: weight, done: func(err error) {
		q.done(err)
		s.mu.Lock()
		defer s.mu.Unlock()
		*under--
		s.admit()
	}})
}

// askAgain sees that those who wait for the disk are not forgotten where its room
// depends on what others have on it. s.mu is held.
func (s *Spill) askAgain() {
	switch {
	case !s.spilling:
	case s.again == nil:
		s.again = time.AfterFunc(idlePause, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.admit()
		})
	default:
		s.again.Reset(idlePause)
	}
}

// expire begins to spill if q has waited for memory, and refuses it if it has waited
// for the disk.
func (s *Spill) expire(q *spillPut) {
	s.mu.Lock()
	if q.place == nil {
		s.mu.Unlock()
		return
	}
	if !q.overdue {
		defer s.mu.Unlock()
		q.overdue = true
		s.admit()
		if q.place != nil && !q.wait {
			q.timer.Reset(s.diskPatience())
		}
		return
	}
	full := s.disk.noRoom(q.disk)
	if full == nil { // there is room, but not for the one before it
		full = &refusal{s.disk.limits.Texts.Full, ErrFull}
	}
	s.waiting.remove(q)
	s.admit()
	s.changed.Broadcast() // it may have been the last thing on its way
	s.mu.Unlock()
	q.done(full)
}

// Close implements Putter.
func (p *spillPutter) Close() {
	s := p.s
	s.mu.Lock()
	p.closed = true
	given := s.waiting.takeOf(p)
	s.admit()
	s.changed.Broadcast()
	s.mu.Unlock()
	for _, q := range given {
		q.done(ErrClosed)
	}
	p.mem.Close()
	p.disk.Close()
}

// spillQueue is a first-in, first-out list of puts of which any can leave.
type spillQueue struct{ list list.List }

func (l *spillQueue) len() int { return l.list.Len() }

func (l *spillQueue) front() *spillPut {
	if l.len() == 0 {
		return nil
	}
	return l.list.Front().Value.(*spillPut)
}

func (l *spillQueue) push(q *spillPut) { q.place = l.list.PushBack(q) }

func (l *spillQueue) remove(q *spillPut) {
	l.list.Remove(q.place)
	q.place = nil
	if q.timer != nil {
		q.timer.Stop()
	}
}

// takeOf removes and returns the puts of one putter, of all if it is nil.
func (l *spillQueue) takeOf(p *spillPutter) (taken []*spillPut) {
	for e := l.list.Front(); e != nil; {
		q := e.Value.(*spillPut)
		e = e.Next()
		if p == nil || q.from == p {
			l.remove(q)
			taken = append(taken, q)
		}
	}
	return taken
}
