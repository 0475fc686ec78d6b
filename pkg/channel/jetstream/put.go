package jetstream

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// full is Flume's text for a channel that has no room.
const full = "The channel has reached it's capacity. This might be the result of a sink on the channel having too low of batch size, a downstream system running slower than normal, or that the channel capacity is just too low."

// refusal is a refused put: its text and the sentinel it stands for.
type refusal struct {
	text string
	kind error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// putter is a channel.Putter.
type putter struct {
	puts *puts

	closed bool // under puts.mu
}

// put is a batch on its way into the stream.
type put struct {
	from    *putter
	batch   *event.Batch
	done    func(error)
	timer   *time.Timer // nil for one that waits for as long as it takes
	expired bool        // while it was under way
}

func (q *put) finish(err error) {
	if q.timer != nil {
		q.timer.Stop()
	}
	q.done(err)
}

// Put implements channel.Putter. A batch that is larger than a message is put
// in parts.
func (p *putter) Put(b *event.Batch, wait bool, done func(error)) {
	if b.Len() == 0 {
		done(nil)
		return
	}
	if most := p.puts.transaction; b.Len() > most {
		done(&refusal{fmt.Sprintf("a batch of %d events; one transaction holds at most %d (transactionCapacity)", b.Len(), most), channel.ErrTooLarge})
		return
	}
	limit := p.puts.limit()
	all, ok := parts(b, limit)
	if !ok {
		done(tooLarge(b, limit))
		return
	}
	if len(all) > 1 {
		done = together(len(all), done)
	}
	for _, part := range all {
		q := &put{from: p, batch: part, done: done}
		if err := p.puts.enter(q, wait); err != nil {
			done(err)
		}
	}
}

func tooLarge(b *event.Batch, limit int) error {
	return &refusal{fmt.Sprintf("an event of %d bytes at most is larger than the %d bytes that a message can have: raise max_payload in the configuration of the NATS servers, and max_msg_size of the stream if it has one", b.Size(), limit), channel.ErrTooLarge}
}

// together returns a done for each of n parts that calls done after the last,
// with the first error.
func together(n int, done func(error)) func(error) {
	var left atomic.Int32
	var failed atomic.Pointer[error]
	left.Store(int32(n))
	return func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		if left.Add(-1) > 0 {
			return
		}
		if first := failed.Load(); first != nil {
			done(*first)
		} else {
			done(nil)
		}
	}
}

// enter adds q to those that wait.
func (p *puts) enter(q *put, wait bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return p.err
	case p.closed || q.from.closed:
		return channel.ErrClosed
	}
	if !wait {
		q.timer = time.AfterFunc(p.keepAlive, func() { p.expire(q) })
	}
	p.queue = append(p.queue, q)
	p.arrived.Signal()
	return nil
}

// expire refuses q if it is not committed yet. While it is under way that has to
// wait for the answer.
func (p *puts) expire(q *put) {
	p.mu.Lock()
	i := slices.Index(p.queue, q)
	if i < p.flying {
		q.expired = true
		p.mu.Unlock()
		p.hurry()
		return
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	why := p.refused()
	p.mu.Unlock()
	q.finish(why)
}

// refused returns why nothing is put just now. p.mu is held.
func (p *puts) refused() error {
	if p.reason != nil && !errors.Is(p.reason, errFull) {
		return &refusal{p.reason.Error(), channel.ErrFull}
	}
	return &refusal{full, channel.ErrFull}
}

// Close implements channel.Putter.
func (p *putter) Close() {
	p.puts.mu.Lock()
	p.closed = true
	gone := p.puts.giveUp(func(q *put) bool { return q.from == p })
	p.puts.mu.Unlock()
	for _, q := range gone {
		q.finish(channel.ErrClosed)
	}
}

// giveUp removes and returns those that wait and are not under way. p.mu is
// held.
func (p *puts) giveUp(which func(*put) bool) (gone []*put) {
	stay := p.queue[:p.flying]
	for _, q := range p.queue[p.flying:] {
		if which(q) {
			gone = append(gone, q)
		} else {
			stay = append(stay, q)
		}
	}
	clear(p.queue[len(stay):])
	p.queue = stay
	return gone
}
