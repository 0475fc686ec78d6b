package jetstream

import (
	"context"
	"errors"
	"fmt"

	js "github.com/nats-io/nats.go/jetstream"
)

// mostUnacked bounds the messages that all processes together hold.
const mostUnacked = 1 << 16

// findConsumer returns the consumer, which it makes if it is not there.
func (t *takes) findConsumer(ctx context.Context) (js.Consumer, error) {
	ctx, cancel := t.link.attempt(ctx)
	defer cancel()
	s := t.channel.stream
	c, err := s.Consumer(ctx, t.consumer)
	if errors.Is(err, js.ErrConsumerNotFound) {
		c, err = s.CreateConsumer(ctx, js.ConsumerConfig{
			Durable:       t.consumer,
			Description:   "the takers of a Flumekit channel",
			AckPolicy:     js.AckExplicitPolicy,
			AckWait:       t.ackWait,
			MaxDeliver:    -1,
			MaxAckPending: mostUnacked,
		})
		if errors.Is(err, js.ErrConsumerExists) || errors.Is(err, js.ErrConsumerNameAlreadyInUse) { // somebody else was faster
			c, err = s.Consumer(ctx, t.consumer)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the consumer %s of the stream %s: %w", t.consumer, t.stream, because(ctx, err))
	}
	conf := c.CachedInfo().Config
	if err := checkConsumer(t.stream, conf); err != nil {
		return nil, err
	}
	if conf.AckWait != t.ackWait {
		conf.AckWait = t.ackWait
		if c, err = s.UpdateConsumer(ctx, conf); err != nil {
			return nil, fmt.Errorf("setting ack-wait of the consumer %s of the stream %s: %w", t.consumer, t.stream, because(ctx, err))
		}
	}
	return c, nil
}

// checkConsumer refuses a consumer that passes over messages.
func checkConsumer(stream string, c js.ConsumerConfig) error {
	const another = "name another consumer, or remove it; one that is missing is made"
	switch {
	case c.DeliverSubject != "":
		return unfitf(another, "the consumer %s of the stream %s is push-based", c.Name, stream)
	case c.AckPolicy != js.AckExplicitPolicy:
		return unfitf(another, "the consumer %s of the stream %s does not acknowledge each message", c.Name, stream)
	case c.MaxDeliver > 0:
		return unfitf(fmt.Sprintf("nats consumer edit %s %s --max-deliver=-1", stream, c.Name), "the consumer %s of the stream %s drops a message after %d deliveries", c.Name, stream, c.MaxDeliver)
	case len(c.BackOff) > 0:
		return unfitf(another, "the consumer %s of the stream %s has a backoff, which goes before ack-wait", c.Name, stream)
	case c.HeadersOnly:
		return unfitf(another, "the consumer %s of the stream %s leaves the payloads out", c.Name, stream)
	}
	return nil
}

// left asks how many messages are not taken for good.
func (t *takes) left(ctx context.Context) (uint64, error) {
	ctx, cancel := t.link.attempt(ctx)
	defer cancel()
	info, err := t.channel.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	if info.Config.Retention == js.WorkQueuePolicy {
		return info.State.Msgs, nil
	}
	c, err := t.channel.stream.Consumer(ctx, t.consumer)
	if errors.Is(err, js.ErrConsumerNotFound) {
		return info.State.Msgs, nil
	}
	if err != nil {
		return 0, err
	}
	state := c.CachedInfo()
	left := state.NumPending + uint64(state.NumAckPending)
	if left == 0 && info.State.Msgs > 0 && state.Delivered.Stream < info.State.LastSeq {
		left = 1 // it has not begun to count
	}
	return left, nil
}
