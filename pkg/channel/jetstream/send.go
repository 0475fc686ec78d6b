package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
)

// Why a message was not taken.
var (
	errFull      = errors.New("the stream is full")
	errTooLarge  = errors.New("the message is too large")
	errConnected = errors.New("not connected")
)

// send publishes m once and waits for the stream's acknowledgement. After an error, sent says that nobody knows whether the
// stream has m.
func (l *link) send(stream string, m *nats.Msg) (sent bool, err error) {
	ctx, cancel := l.attempt(context.Background())
	defer cancel()
	_, err = l.js.PublishMsg(ctx, m)
	var api *js.APIError
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, nats.ErrMaxPayload):
		return false, errTooLarge
	case errors.As(err, &api):
		return false, answered(stream, api)
	case errors.Is(err, js.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return false, fmt.Errorf("no server answers for the stream %s: it has no leader, or is gone", stream)
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed):
		return false, fmt.Errorf("%w to %s", errConnected, l.url)
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), nats.ErrDisconnected):
		return true, fmt.Errorf("%w to %s", errConnected, l.url)
	case ctx.Err() != nil:
		return true, fmt.Errorf("the stream %s has not answered in time: it has no quorum, or the servers cannot be reached", stream)
	}
	return true, fmt.Errorf("putting into the stream %s: %w", stream, err)
}

// answered says what JetStream's answer means.
func answered(stream string, err *js.APIError) error {
	switch {
	case strings.HasPrefix(err.Description, "maximum messages") || strings.HasPrefix(err.Description, "maximum bytes"):
		return errFull
	case err.ErrorCode == messageTooLarge:
		return errTooLarge
	}
	return fmt.Errorf("the stream %s refuses it: %s", stream, err.Description)
}

// messageTooLarge is JetStream's error code for it.
const messageTooLarge js.ErrorCode = 10054
