package jetstream

import (
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flumekit/flumekit/pkg/channel"
)

var (
	ackDone     = []byte("+ACK")
	ackProgress = []byte("+WPI")
	ackReturn   = []byte("-NAK")
)

// confirmations are the answers to acknowledgements that are under way. Any
// number may be.
type confirmations struct {
	inbox string
	sub   *nats.Subscription

	mu      sync.Mutex
	count   uint64
	waiting map[string]chan struct{} // by the subject of the answer
}

func newConfirmations(nc *nats.Conn) (*confirmations, error) {
	c := &confirmations{inbox: nc.NewInbox() + ".", waiting: make(map[string]chan struct{})}
	var err error
	c.sub, err = nc.Subscribe(c.inbox+"*", c.arrive)
	return c, err
}

func (c *confirmations) arrive(m *nats.Msg) {
	if m.Header.Get("Status") != "" { // nobody was there to hear it
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if done, ok := c.waiting[m.Subject]; ok {
		delete(c.waiting, m.Subject)
		close(done)
	}
}

// expect returns a subject for an answer, and what is closed when it comes.
func (c *confirmations) expect() (subject string, done <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	subject = c.inbox + strconv.FormatUint(c.count, 10)
	arrived := make(chan struct{})
	c.waiting[subject] = arrived
	return subject, arrived
}

func (c *confirmations) forget(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, subject)
}

// confirmWait is how long an acknowledgement is left without an answer until it
// is sent again. Sending it twice does no harm.
const confirmWait = time.Second

// confirm acknowledges h until JetStream has confirmed that.
func (t *takes) confirm(h *held) error {
	subject, done := t.confirmations.expect()
	defer t.confirmations.forget(subject)
	timer := time.NewTimer(confirmWait)
	defer timer.Stop()
	for {
		t.mu.Lock()
		ack := h.ack
		t.mu.Unlock()
		again := t.link.back()
		// That it cannot be sent is seen by that nobody answers.
		_ = t.link.nc.PublishRequest(ack, subject, ackDone)
		select {
		case <-done:
			return nil
		case <-timer.C:
		case <-again:
		case <-t.over:
			select {
			case <-done:
				return nil
			default:
				return channel.ErrClosed
			}
		}
		timer.Reset(confirmWait)
	}
}
