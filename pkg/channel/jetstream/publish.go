package jetstream

import (
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// joinBytes bounds the messages that puts are joined to.
const joinBytes = 1 << 20

// puts is the way into the stream. One message is under way at a time, so that
// none can pass another that has to be sent again; the puts that arrive
// meanwhile are the next message.
type puts struct {
	link            *link
	stream, subject string
	transaction     int
	keepAlive       time.Duration
	limit           func() int // most bytes of a batch
	ids             string     // what our messages' identifiers begin with
	count           uint64
	failing         bool // the last attempt failed, and that was logged
	apart           bool // a message of several puts was too large
	backoff         time.Duration
	again           chan struct{} // tells publish not to wait any longer

	mu      sync.Mutex
	arrived sync.Cond
	queue   []*put // in order; the first of them are under way:
	flying  int
	reason  error // why the last message was not taken
	err     error // why the channel is of no use any more
	closed  bool
}

func newPuts(l *link, o *Options, limit func() int) *puts {
	p := &puts{
		link:        l,
		stream:      o.Stream,
		subject:     o.subject(),
		transaction: int(o.TransactionCapacity),
		keepAlive:   o.KeepAlive.Duration(),
		limit:       limit,
		ids:         rand.Text(),
		again:       make(chan struct{}, 1),
	}
	p.arrived.L = &p.mu
	return p
}

// run publishes what is put until the channel is closed.
func (p *puts) run() {
	for {
		group := p.gather()
		if group == nil {
			return
		}
		p.count++
		p.publish(encode(p.stream, p.subject, p.ids+"-"+strconv.FormatUint(p.count, 10), join(group)))
	}
}

// gather waits for puts, and marks those for one message as under way.
func (p *puts) gather() []*put {
	limit := min(joinBytes, p.limit())
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) == 0 {
		if p.closed || p.err != nil {
			return nil
		}
		p.arrived.Wait()
	}
	events, size := 0, event.HeadSize
	for i, q := range p.queue {
		events += q.batch.Len()
		size += q.batch.Size()
		if i > 0 && (events > p.transaction || size > limit || p.apart) {
			break
		}
		p.flying++
	}
	return append([]*put(nil), p.queue[:p.flying]...)
}

func join(group []*put) *event.Batch {
	if len(group) == 1 {
		return group[0].batch
	}
	joined, size := new(event.Batch), 0
	for _, q := range group {
		size += q.batch.Size()
	}
	joined.Reserve(size)
	for _, q := range group {
		joined.AppendBatch(q.batch)
	}
	return joined
}

// publish sends m until JetStream has acknowledged it, or has said that it
// does not have it: then the puts in it may become another message.
func (p *puts) publish(m *nats.Msg) {
	unsure := false
	for {
		sent, err := p.link.send(p.stream, m)
		unsure = unsure || sent
		if p.settle(err, unsure) {
			return
		}
	}
}

// settle answers the puts that are under way as far as err, the outcome of an
// attempt, allows. It returns false, after a while, if the same message must be
// sent again.
func (p *puts) settle(err error, unsure bool) bool {
	p.mu.Lock()
	p.apart = errors.Is(err, errTooLarge) && p.flying > 1
	if p.apart { // the servers' limit has changed
		p.flying = 0
		p.mu.Unlock()
		return true
	}
	if err == nil || errors.Is(err, errTooLarge) {
		group := append([]*put(nil), p.queue[:p.flying]...)
		p.leave(func(*put) bool { return true })
		p.reason, p.flying = nil, 0
		p.mu.Unlock()
		p.recovered()
		for _, q := range group {
			if err != nil {
				q.finish(tooLarge(q.batch, p.limit()))
			} else {
				q.finish(nil)
			}
		}
		return true
	}
	p.reason = err
	why, broken := p.refused(), p.err
	ended := p.closed
	gone := p.leave(func(q *put) bool { return q.expired || q.from.closed || ended || broken != nil })
	over := p.flying == 0 || !unsure
	if over {
		p.flying = 0
	}
	p.mu.Unlock()
	for _, q := range gone {
		switch {
		case broken != nil:
			q.finish(broken)
		case ended || q.from.isClosed():
			q.finish(channel.ErrClosed)
		default:
			q.finish(why)
		}
	}
	p.tell(err)
	if !ended {
		p.wait()
	}
	return over
}

// leave removes and returns those under way for which that is true. p.mu is
// held.
func (p *puts) leave(which func(*put) bool) (gone []*put) {
	var stay []*put
	for _, q := range p.queue[:p.flying] {
		if which(q) {
			gone = append(gone, q)
		} else {
			stay = append(stay, q)
		}
	}
	waiting := p.queue[p.flying:]
	p.flying = len(stay)
	p.queue = append(stay, waiting...)
	return gone
}

func (p *putter) isClosed() bool {
	p.puts.mu.Lock()
	defer p.puts.mu.Unlock()
	return p.closed
}

// tell logs, once, that the stream takes nothing. That it is full is what the
// putters are told; that the connection is lost has been said.
func (p *puts) tell(err error) {
	if p.failing || errors.Is(err, errFull) || errors.Is(err, errConnected) {
		return
	}
	p.failing = true
	p.link.log.Warn().Err(err).Msg("events wait to be put")
}

func (p *puts) recovered() {
	p.backoff = 0
	if p.failing {
		p.failing = false
		p.link.log.Info().Msgf("the stream %s takes events again", p.stream)
	}
}

const (
	firstPause = 20 * time.Millisecond
	mostPause  = time.Second
)

// wait lets some time pass between two attempts, less if there is reason to
// think that the next will succeed.
func (p *puts) wait() {
	p.backoff = min(max(2*p.backoff, firstPause), mostPause)
	timer := time.NewTimer(p.backoff)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.link.back():
	case <-p.again:
	}
}

// hurry ends the wait between two attempts.
func (p *puts) hurry() {
	select {
	case p.again <- struct{}{}:
	default:
	}
}

// idle reports whether nothing is on its way into the stream.
func (p *puts) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) == 0
}

// fail refuses all that waits, and all that is put from now on.
func (p *puts) fail(err error) {
	p.end(err, func() { p.err = err })
}

// close refuses all that waits. What is under way is committed, if the stream
// answers.
func (p *puts) close() {
	p.end(channel.ErrClosed, func() { p.closed = true })
}

func (p *puts) end(why error, set func()) {
	p.mu.Lock()
	set()
	gone := p.giveUp(func(*put) bool { return true })
	p.arrived.Broadcast()
	p.mu.Unlock()
	p.hurry()
	for _, q := range gone {
		q.finish(why)
	}
}
