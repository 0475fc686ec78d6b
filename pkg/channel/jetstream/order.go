package jetstream

import (
	"context"
	"fmt"
	"time"

	js "github.com/nats-io/nats.go/jetstream"
)

const (
	// orderLook is how often it is looked whether all is at hand.
	orderLook = 100 * time.Millisecond
	// orderSlack is how much later than it should JetStream may send a
	// message again.
	orderSlack = 2 * time.Second
)

// restoreOrder fetches what was sent before and not committed, so that it is
// handed out before all that was put after it. What a killed process held, or
// what was on its way here when a connection or a server was lost, JetStream
// sends again only after ack-wait; until then nothing else is handed out, unless
// other processes take too, with whom there is no order to be kept.
func (p *pull) restoreOrder() error {
	t := p.takes
	t.mu.Lock()
	t.inOrder = false
	t.mu.Unlock()
	p.mu.Lock()
	ours := 0 // requests that wait at the server
	if !p.ended {
		ours = 1
	}
	p.mu.Unlock()
	began := time.Now()
	ask, say := began, began.Add(time.Second)
	for t.wanted() {
		info, err := p.info()
		if err != nil {
			return fmt.Errorf("asking for the consumer's state: %w", err)
		}
		now, missing := time.Now(), t.missing(info)
		alone := info.NumWaiting <= ours || ask != began // then it is we who wait
		if missing <= 0 || !alone || now.Sub(began) > t.ackWait+orderSlack {
			break
		}
		if !now.Before(ask) {
			p.request(missing, 0)
			ask = now.Add(t.ackWait + orderLook)
		}
		if now.After(say) {
			say = now.Add(time.Hour)
			t.link.log.Info().Int("messages", missing).Msgf("what was sent before and has got lost comes first, in %v at most", t.ackWait)
		}
		select {
		case <-time.After(orderLook):
		case <-p.over:
		case <-t.over:
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inOrder = true
	t.changed.Broadcast()
	return nil
}

func (p *pull) info() (*js.ConsumerInfo, error) {
	ctx, cancel := p.takes.link.attempt(context.Background())
	defer cancel()
	info, err := p.consumer.Info(ctx)
	return info, because(ctx, err)
}

// missing returns how many messages JetStream has sent that are not here and not
// committed. One whose commit is under way counts as missing until that is known.
func (t *takes) missing(info *js.ConsumerInfo) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	missing := info.NumAckPending
	for _, h := range t.held {
		if !h.committing {
			missing--
		}
	}
	return missing
}
