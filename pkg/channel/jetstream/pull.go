package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
)

const (
	// windowBytes bounds what is fetched ahead of the takers.
	windowBytes = 8 << 20
	// mostFetched is the most messages that are asked for at once.
	mostFetched = 1000
	// A request for messages is answered for so long, and meanwhile the
	// server says so often that it is still there.
	requestTime = 30 * time.Second
	heartbeat   = 3 * time.Second
	// pullPause is how long a server that had none of it is left alone.
	pullPause = 100 * time.Millisecond
)

// takes is the way out of the stream. What is fetched is at hand for all takers
// of this process; JetStream is told again and again that somebody works on it.
type takes struct {
	channel       *remote
	link          *link
	stream        string
	consumer      string
	ackWait       time.Duration
	confirmations *confirmations
	hungry        signal        // there is more room, or fewer takers
	over          chan struct{} // closed when nothing is taken any more

	mu        sync.Mutex
	changed   sync.Cond
	takers    int
	held      map[place]*held
	ready     []*held // those that no taker has, in order
	readySize int
	inOrder   bool // none that was taken before is missing in ready
	committed *recently
	closed    bool
	err       error // why the channel is of no use any more
}

func newTakes(c *remote, o *Options) (*takes, error) {
	t := &takes{
		channel:   c,
		link:      c.link,
		stream:    o.Stream,
		consumer:  o.Consumer,
		ackWait:   o.AckWait.Duration(),
		hungry:    newSignal(),
		over:      make(chan struct{}),
		held:      make(map[place]*held),
		committed: newRecently(),
	}
	t.changed.L = &t.mu
	var err error
	t.confirmations, err = newConfirmations(c.link.nc)
	return t, err
}

// run fetches messages while there are takers, until the channel is closed.
func (t *takes) run() {
	var work sync.WaitGroup
	work.Go(t.stayAtWork)
	for t.await() {
		t.fetch()
	}
	work.Wait()
}

// await waits until there are takers. It returns false when the channel is
// closed.
func (t *takes) await() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.takers == 0 && !t.closed && t.err == nil {
		t.changed.Wait()
	}
	return !t.closed && t.err == nil
}

func (t *takes) wanted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.takers > 0 && !t.closed && t.err == nil
}

// fetch fetches messages until there are no takers any more, and then gives
// those back that none of them has taken.
func (t *takes) fetch() {
	p := &pull{takes: t, over: newSignal(), ended: true}
	if err := p.listen(); err != nil {
		t.rest(t.link.back())
		return
	}
	defer p.end()
	for t.wanted() {
		err := p.open()
		if err == nil {
			err = p.fetch()
		}
		switch {
		case err == nil:
			return
		case !passes(err):
			t.channel.fail(err)
			return
		}
		p.tell(err)
		t.rest(t.link.back())
	}
}

// fetch fetches messages until there are no takers, and returns nil, or the
// server has something against it.
func (p *pull) fetch() error {
	t := p.takes
	if err := p.restoreOrder(); err != nil {
		return err
	}
	for t.wanted() {
		room := t.room()
		if room == 0 {
			select {
			case <-t.hungry:
			case <-t.over:
			}
			continue
		}
		p.request(mostFetched, room)
		if err := p.wait(t.link.connection()); err != nil {
			return err
		}
	}
	return nil
}

// rest waits a little, or until the channel is closed or the connection is back.
func (t *takes) rest(back <-chan struct{}) {
	timer := time.NewTimer(pullPause)
	defer timer.Stop()
	if back != nil {
		timer.Stop()
	}
	select {
	case <-timer.C:
	case <-back:
	case <-t.over:
	}
}

// room returns how many bytes to ask for: none while there is enough at hand.
func (t *takes) room() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	window := max(windowBytes, 2*int(t.link.nc.MaxPayload()))
	if t.readySize > window/2 || len(t.ready) > mostFetched/2 {
		return 0
	}
	return window - t.readySize
}

// pull is the fetching of messages for as long as there are takers.
type pull struct {
	takes    *takes
	consumer js.Consumer
	inbox    string
	sub      *nats.Subscription
	drained  chan struct{}
	over     signal // the request has ended
	told     bool   // that nothing can be taken was logged

	mu      sync.Mutex
	count   int
	subject string // of the request's answers
	ended   bool   // the server has said so, or has sent all
	left    int    // messages, and bytes, that are still to come
	bytes   int
	heard   time.Time
	problem error // what the server had against the request
}

// listen subscribes to what the server answers requests with.
func (p *pull) listen() (err error) {
	p.inbox = p.takes.link.nc.NewInbox() + "."
	p.drained = make(chan struct{})
	if p.sub, err = p.takes.link.nc.Subscribe(p.inbox+"*", p.arrive); err != nil {
		return err
	}
	p.sub.SetClosedHandler(func(string) { close(p.drained) })
	return p.sub.SetPendingLimits(-1, -1) // the requests have the bound
}

// open finds the consumer.
func (p *pull) open() (err error) {
	p.consumer, err = p.takes.findConsumer(context.Background())
	if err == nil && p.told {
		p.told = false
		p.takes.link.log.Info().Msgf("events are taken from the stream %s again", p.takes.stream)
	}
	return err
}

// tell logs, once, that nothing can be taken.
func (p *pull) tell(err error) {
	if !p.told && p.takes.link.back() == nil {
		p.told = true
		p.takes.link.log.Warn().Err(err).Msgf("nothing can be taken from the stream %s", p.takes.stream)
	}
}

// nextRequest is JetStream's request for messages.
type nextRequest struct {
	Expires   time.Duration `json:"expires"`
	Batch     int           `json:"batch"`
	MaxBytes  int           `json:"max_bytes,omitempty"`
	Heartbeat time.Duration `json:"idle_heartbeat"`
}

// request asks for at most so many messages and bytes.
func (p *pull) request(most, bytes int) {
	text, err := json.Marshal(nextRequest{Expires: requestTime, Batch: most, MaxBytes: bytes, Heartbeat: heartbeat})
	if err != nil {
		panic(err) // it has but numbers
	}
	p.mu.Lock()
	p.count++
	p.subject = p.inbox + strconv.Itoa(p.count)
	p.ended, p.left, p.bytes, p.heard, p.problem = false, most, bytes, time.Now(), nil
	select {
	case <-p.over:
	default:
	}
	subject := p.subject
	p.mu.Unlock()
	api := p.takes.link.api + "CONSUMER.MSG.NEXT." + p.takes.stream + "." + p.takes.consumer
	// That it cannot be sent is seen by that nobody answers.
	_ = p.takes.link.nc.PublishRequest(api, subject, text)
}

// wait waits until the request has ended, by whatever means.
func (p *pull) wait(conn context.Context) error {
	t := p.takes
	pulse := time.NewTicker(heartbeat)
	defer pulse.Stop()
	for t.wanted() {
		select {
		case <-p.over:
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.problem
		case <-conn.Done():
			return nats.ErrDisconnected
		case <-pulse.C:
			p.mu.Lock()
			silent := time.Since(p.heard) > 2*heartbeat+heartbeat/2
			p.mu.Unlock()
			if silent { // the request was lost with the server that led
				return errors.New("the server says nothing")
			}
		case <-t.hungry:
		case <-t.over:
		}
	}
	return nil
}

// arrive is called with all that the server sends.
func (p *pull) arrive(m *nats.Msg) {
	status := m.Header.Get("Status")
	if status != "" && len(m.Data) == 0 {
		p.notice(m.Subject, status, m.Header.Get("Description"))
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		p.takes.link.log.Warn().Err(err).Msg("a message that JetStream has not sent is left out")
		return
	}
	p.takes.arrive(m, place{seq: meta.Sequence.Stream, time: meta.Timestamp.UnixNano()})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = time.Now()
	p.left--
	if p.bytes > 0 {
		if p.bytes -= m.Size(); p.bytes <= 0 {
			p.left = 0
		}
	}
	if p.left == 0 {
		p.ended = true
		p.over.signal()
	}
}

// notice is called when the server says something of a request.
func (p *pull) notice(subject, status, description string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if subject != p.subject {
		return
	}
	p.heard = time.Now()
	switch {
	case status == "100": // it is still there
		return
	case status == "408", status == "409" && slices.Contains([]string{"Message Size Exceeds MaxBytes", "Batch Completed"}, description):
	case status == "503":
		p.problem = errors.New("no server answers for the consumer: it has no leader, or is gone")
	default:
		p.problem = fmt.Errorf("the server says %s %q", status, description)
	}
	p.ended = true
	p.over.signal()
}

// arrive takes a message into the hands of this process.
func (t *takes) arrive(m *nats.Msg, at place) {
	b, err := decode(m)
	if err != nil {
		t.link.log.Warn().Err(err).Uint64("seq", at.seq).Msg("a damaged message")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch h, have := t.held[at]; {
	case have:
		h.ack = m.Reply
	case t.committed.has(at): // it was sent again before that was known there
		_ = t.link.nc.Publish(m.Reply, ackDone)
	default:
		h := &held{place: at, batch: b, size: m.Size(), ack: m.Reply}
		t.held[at] = h
		t.offer(h)
	}
}

// end gives back what no taker has.
func (p *pull) end() {
	t := p.takes
	if p.sub.Drain() == nil { // what is on its way here still arrives
		timer := time.NewTimer(requestWait)
		defer timer.Stop()
		select {
		case <-p.drained:
		case <-timer.C:
		case <-t.link.connection().Done():
		}
	}
	t.mu.Lock()
	back := t.ready
	t.ready, t.readySize, t.inOrder = nil, 0, false
	if t.closed {
		for _, h := range t.held {
			if h.by != nil && !h.committing {
				back = append(back, h)
			}
		}
	}
	for _, h := range back {
		delete(t.held, h.place)
	}
	t.mu.Unlock()
	slices.SortFunc(back, func(a, b *held) int { return int(a.seq) - int(b.seq) })
	for _, h := range back {
		// Without a connection they go back after ack-wait.
		_ = t.link.nc.Publish(h.ack, ackReturn)
	}
	if t.link.back() == nil {
		_ = t.link.nc.FlushTimeout(requestWait)
	}
}

// stayAtWork keeps JetStream from giving to others what this process has.
func (t *takes) stayAtWork() {
	tick := time.NewTicker(t.ackWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-t.link.back(): // first of all, after a time without
		case <-t.over:
			return
		}
		t.mu.Lock()
		acks := make([]string, 0, len(t.held))
		for _, h := range t.held {
			acks = append(acks, h.ack)
		}
		t.mu.Unlock()
		for _, ack := range acks {
			_ = t.link.nc.Publish(ack, ackProgress)
		}
	}
}

// fail ends all taking.
func (t *takes) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	t.stop()
}

// close ends all taking. What the takers have not committed goes back.
func (t *takes) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.stop()
}

func (t *takes) stop() {
	select {
	case <-t.over:
	default:
		close(t.over)
	}
	t.changed.Broadcast()
}
