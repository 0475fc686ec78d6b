package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

const (
	// closeTime is how long puts that are under way have to be acknowledged
	// when their putter is closed.
	closeTime = 5 * time.Second
	// againTime is the pause before a put is sent again.
	againTime = 200 * time.Millisecond
)

// putter sends batches in order, many at a time, and answers them in order.
type putter struct {
	c    *topicChannel
	ctx  context.Context // of all that is sent
	stop context.CancelFunc
	work sync.WaitGroup // the sender

	answers sync.Mutex // held while puts are answered, before mu

	mu      sync.Mutex
	changed sync.Cond
	queue   []*put // not answered, in order
	sending bool   // there is a sender
	resting bool   // puts that failed wait for a while to be sent again
	closed  bool
}

// put is a batch on its way into the topic.
type put struct {
	batch  *event.Batch
	done   func(error)
	ctx    context.Context // ends when it is not to be tried any more
	cancel context.CancelFunc

	state   putState // under the putter's mu
	attempt *attempt // the one under way
	err     error    // why it failed, once it is settled
}

// attempt is the sending of a put's records, which may be repeated.
type attempt struct {
	left   atomic.Int64 // records that are not settled
	failed atomic.Pointer[error]
	stop   func() bool // ends the wait for the put's context
}

type putState int

const (
	unsent putState = iota
	sent
	settled
)

// Putter implements channel.Channel.
func (c *topicChannel) Putter() channel.Putter {
	p := &putter{c: c}
	p.changed.L = &p.mu
	p.ctx, p.stop = context.WithCancel(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	p.closed = c.closed
	c.putters[p] = true
	return p
}

// Put implements channel.Putter.
func (p *putter) Put(b *event.Batch, wait bool, done func(error)) {
	if b.Len() == 0 {
		done(nil)
		return
	}
	if err := p.c.unusable(); err != nil {
		done(err)
		return
	}
	q := &put{batch: b, done: done, ctx: p.ctx, cancel: func() {}}
	if !wait {
		q.ctx, q.cancel = context.WithTimeout(p.ctx, p.c.opt.Producer.DeliveryTimeout.Duration())
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		q.cancel()
		done(channel.ErrClosed)
		return
	}
	p.queue = append(p.queue, q)
	if !p.sending {
		p.sending = true
		p.work.Go(p.send)
	}
	p.changed.Signal()
	p.mu.Unlock()
}

// send sends what is put, until the putter is closed.
func (p *putter) send() {
	for {
		q := p.next()
		if q == nil {
			return
		}
		p.produce(q)
	}
}

// next returns the next put to send, nil at the end.
func (p *putter) next() *put {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.closed {
			return nil
		}
		if !p.resting {
			for _, q := range p.queue {
				if q.state == settled && q.again() {
					break // what comes after it waits for it
				}
				if q.state == unsent {
					q.state, q.attempt = sent, new(attempt)
					return q
				}
			}
		}
		p.changed.Wait()
	}
}

// again says whether a put that failed is to be sent again: it has time left.
func (q *put) again() bool { return q.err != nil && temporary(q.err) && q.ctx.Err() == nil }

// produce hands q's records to the client. The client may not look at the
// context of records while it cannot reach a broker, so it is waited for here.
// What is answered before the client is done may still come to be written, and
// come twice.
func (p *putter) produce(q *put) {
	a := q.attempt
	records, err := p.c.codec.records(q.batch)
	if err == nil {
		err = p.c.largest.check(records)
	}
	if err != nil {
		p.settle(q, a, err)
		return
	}
	a.left.Store(int64(len(records)))
	p.mu.Lock()
	a.stop = context.AfterFunc(q.ctx, func() { p.settle(q, a, q.ctx.Err()) })
	p.mu.Unlock()
	for i := range records {
		p.c.producer.Produce(q.ctx, &records[i], func(_ *kgo.Record, err error) {
			if err != nil {
				a.failed.CompareAndSwap(nil, &err)
			}
			if a.left.Add(-1) > 0 {
				return
			}
			if failed := a.failed.Load(); failed != nil {
				p.settle(q, a, *failed)
				return
			}
			p.settle(q, a, nil)
		})
	}
}

// settle notes what has become of an attempt at q, the first time, and answers
// the puts that can be.
func (p *putter) settle(q *put, a *attempt, err error) {
	p.answers.Lock()
	defer p.answers.Unlock()
	p.mu.Lock()
	if q.attempt != a {
		p.mu.Unlock()
		return
	}
	q.state, q.attempt, q.err = settled, nil, err
	if a.stop != nil {
		a.stop()
	}
	answered := p.advance()
	p.mu.Unlock()
	for _, q := range answered {
		err := p.answer(q)
		q.cancel()
		q.done(err)
	}
}

// advance removes and returns the puts that can be answered. Where the first
// that is left is to be sent again, all that failed are, in order, once nothing
// is under way any more. p.mu is held.
func (p *putter) advance() (answered []*put) {
	for len(p.queue) > 0 && p.queue[0].state == settled && (p.closed || !p.queue[0].again()) {
		answered = append(answered, p.queue[0])
		p.queue[0] = nil
		p.queue = p.queue[1:]
	}
	p.changed.Broadcast()
	if len(p.queue) == 0 || p.queue[0].state != settled {
		return answered
	}
	for _, q := range p.queue {
		if q.state == sent {
			return answered
		}
	}
	p.c.link.complain("puts wait", p.queue[0].err)
	for _, q := range p.queue {
		if q.state == settled && q.again() {
			q.state = unsent
		}
	}
	p.resting = true
	time.AfterFunc(againTime, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.resting = false
		p.changed.Broadcast()
	})
	return answered
}

// answer returns what q's sender is told.
func (p *putter) answer(q *put) error {
	switch {
	case q.err == nil:
		return nil
	case p.ctx.Err() != nil, errors.Is(q.err, kgo.ErrClientClosed):
		return channel.ErrClosed
	}
	var known *refusal
	if errors.As(q.err, &known) {
		return q.err
	}
	topic, o := p.c.opt.Topic, &p.c.opt.Producer
	switch {
	case errors.Is(q.err, kerr.MessageTooLarge), errors.Is(q.err, kerr.RecordListTooLarge):
		return &refusal{p.c.largest.tooLarge(q.err), channel.ErrTooLarge}
	case q.ctx.Err() != nil:
		why := ""
		if last := p.c.link.last(); last != nil {
			why = ": " + last.Error()
		}
		return &refusal{fmt.Sprintf("topic %s has not acknowledged the batch within %v%s", topic, o.DeliveryTimeout, why), channel.ErrFull}
	case temporary(q.err):
		return &refusal{fmt.Sprintf("putting into topic %s: %v", topic, q.err), channel.ErrFull}
	case errors.Is(q.err, kerr.ClusterAuthorizationFailed) && o.idempotent():
		return fault.Hint(fmt.Errorf("putting into topic %s: %w", topic, q.err),
			"allow the user IdempotentWrite on the cluster, or set kafka.producer.enable.idempotence to false")
	}
	return fmt.Errorf("putting into topic %s: %w", topic, q.err)
}

// refusal is a refused put: its text and the sentinel it stands for.
type refusal struct {
	text string
	kind error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// temporary says whether what failed may succeed later as it is.
func temporary(err error) bool {
	var network net.Error
	return kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, kgo.ErrRecordTimeout) || errors.Is(err, kgo.ErrRecordRetries) ||
		errors.As(err, &network)
}

// Close implements channel.Putter.
func (p *putter) Close() {
	p.answers.Lock()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.answers.Unlock()
		return
	}
	p.closed = true
	var kept, given []*put
	for _, q := range p.queue {
		if q.state == unsent {
			given = append(given, q)
		} else {
			kept = append(kept, q)
		}
	}
	p.queue = kept
	answered := p.advance()
	p.changed.Broadcast()
	p.mu.Unlock()
	for _, q := range answered {
		err := p.answer(q)
		q.cancel()
		q.done(err)
	}
	for _, q := range given {
		q.cancel()
		q.done(channel.ErrClosed)
	}
	p.answers.Unlock()
	timer := time.AfterFunc(closeTime, p.stop)
	go func() {
		p.wait()
		timer.Stop()
		p.stop()
		p.c.mu.Lock()
		defer p.c.mu.Unlock()
		delete(p.c.putters, p)
	}()
}

// wait waits until a closed putter has nothing under way.
func (p *putter) wait() {
	p.mu.Lock()
	for len(p.queue) > 0 {
		p.changed.Wait()
	}
	p.mu.Unlock()
	p.work.Wait()
}
