package channel

import (
	"container/list"
	"slices"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// putter is the Putter of a Queue.
type putter struct {
	c *Queue

	closed bool // under c.mu
}

// put is a batch on its way into the store.
type put struct {
	from   *putter
	wait   bool // for room, for as long as it takes
	batch  *event.Batch
	weight Totals
	done   func(error)
	place  *list.Element // in the list of those that wait, if it is there
	timer  *time.Timer   // of an impatient one that waits
}

func (p *put) finish(err error) {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.done(err)
}

// Putter implements Channel.
func (c *Queue) Putter() Putter {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putters++
	return &putter{c: c}
}

// Put implements Putter.
func (p *putter) Put(b *event.Batch, wait bool, done func(error)) {
	if b.Len() == 0 {
		done(nil)
		return
	}
	c := p.c
	w := c.limits.weigh(b)
	if err := c.limits.neverFits(w, b.Size()+event.HeadSize, c.maxMessage); err != nil {
		done(err)
		return
	}
	q := &put{from: p, wait: wait, batch: b, weight: w, done: done}
	if err := p.enter(q); err != nil {
		done(err)
	}
}

func (p *putter) enter(q *put) error {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.line(q)
}

// line gives q its room or makes it wait in line. c.mu is held.
func (p *putter) line(q *put) error {
	c := p.c
	if err := c.usable(); err != nil {
		return err
	}
	if p.closed {
		return ErrClosed
	}
	if c.waiting.len() == 0 {
		full := c.noRoom(q.weight)
		if full == nil {
			c.admit(q)
			return nil
		}
		if !q.wait && c.limits.KeepAlive <= 0 {
			return full
		}
	}
	q.place = c.waiting.push(q)
	if !q.wait {
		q.timer = time.AfterFunc(c.limits.KeepAlive, func() { c.expire(q) })
	}
	c.touch() // the janitor asks again where room depends on the disk
	return nil
}

// usable returns why nothing can be put or taken any more. c.mu is held.
func (c *Queue) usable() error {
	if c.err != nil {
		return c.err
	}
	if c.closed {
		return ErrClosed
	}
	return nil
}

// admit gives q its room. c.mu is held.
func (c *Queue) admit(q *put) {
	c.reserved = c.reserved.plus(q.weight)
	c.admitted = append(c.admitted, q)
	if len(c.admitted) == 1 {
		c.arrived.Signal()
	}
}

// admitWaiting gives room to those that wait for it, in their turn. c.mu is
// held.
func (c *Queue) admitWaiting() {
	for c.waiting.len() > 0 {
		q := c.waiting.front()
		if c.noRoom(q.weight) != nil {
			break
		}
		c.waiting.remove(q)
		c.admit(q)
	}
	if c.eased != nil {
		c.eased()
	}
}

// expire refuses q if it still waits.
func (c *Queue) expire(q *put) {
	c.mu.Lock()
	if q.place == nil {
		c.mu.Unlock()
		return
	}
	full := c.noRoom(q.weight)
	if full == nil { // there is room, but not for the one before it
		full = &refusal{c.limits.Texts.Full, ErrFull}
	}
	c.waiting.remove(q)
	c.admitWaiting()
	c.changed.Broadcast() // it may have been the last thing on its way
	c.mu.Unlock()
	q.finish(full)
}

// Close implements Putter.
func (p *putter) Close() {
	c := p.c
	c.mu.Lock()
	if !p.closed {
		p.closed = true
		c.putters--
	}
	given := c.waiting.takeOf(p)
	c.admitWaiting()
	c.changed.Broadcast()
	c.mu.Unlock()
	for _, q := range given {
		q.finish(ErrClosed)
	}
}

// putList is a first-in, first-out list of puts of which any can leave.
type putList struct{ list list.List }

func (l *putList) len() int                  { return l.list.Len() }
func (l *putList) front() *put               { return l.list.Front().Value.(*put) }
func (l *putList) push(q *put) *list.Element { return l.list.PushBack(q) }

// pushFront puts puts, in order, before all others.
func (l *putList) pushFront(puts []*put) {
	for _, q := range slices.Backward(puts) {
		q.place = l.list.PushFront(q)
	}
}

func (l *putList) remove(q *put) {
	l.list.Remove(q.place)
	q.place = nil
}

func (l *putList) takeAll() []*put { return l.takeOf(nil) }

// takeOf removes and returns the puts of one putter, of all if it is nil.
func (l *putList) takeOf(p *putter) (taken []*put) {
	for e := l.list.Front(); e != nil; {
		q := e.Value.(*put)
		e = e.Next()
		if p == nil || q.from == p {
			l.remove(q)
			taken = append(taken, q)
		}
	}
	return taken
}
