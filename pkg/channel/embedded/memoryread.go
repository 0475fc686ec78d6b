package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flumekit/flumekit/pkg/channel"
)

// batchGet is a request to JetStream's direct get for several messages.
type batchGet struct {
	Seq      uint64 `json:"seq"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

const (
	mostMessages = 1 << 20
	statusHeader = "Status"
	endOfBatch   = "204"
	notFound     = "404"
)

// Read implements channel.Store.
func (s *stored) Read(ctx context.Context, from uint64, most int) ([]channel.Message, error) {
	request, err := json.Marshal(batchGet{Seq: from, Batch: mostMessages, MaxBytes: max(1, most)})
	if err != nil {
		return nil, err
	}
	inbox := s.reads.NewInbox()
	replies, err := s.reads.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("reading the stream from %d: %w", from, err)
	}
	defer replies.Unsubscribe()
	if err := replies.SetPendingLimits(-1, -1); err != nil { // the request has the bound
		return nil, fmt.Errorf("reading the stream from %d: %w", from, err)
	}
	if err := s.reads.PublishRequest("$JS.API.DIRECT.GET."+streamName, inbox, request); err != nil {
		return nil, fmt.Errorf("reading the stream from %d: %w", from, err)
	}
	var read []channel.Message
	for {
		reply, err := replies.NextMsgWithContext(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the stream from %d: %w", from, err)
		}
		switch status := reply.Header.Get(statusHeader); status {
		case "":
			m, err := message(reply)
			if err != nil {
				return nil, err
			}
			read = append(read, m)
		case endOfBatch, notFound:
			return read, nil
		default:
			return nil, fmt.Errorf("reading the stream from %d: %s %s", from, status, reply.Header.Get("Description"))
		}
	}
}

func message(reply *nats.Msg) (channel.Message, error) {
	text := reply.Header.Get("Nats-Sequence")
	seq, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return channel.Message{}, fmt.Errorf("reading the stream: a message with the sequence %q", text)
	}
	totals, err := parseTotals(reply.Header.Get(totalsHeader))
	if err != nil {
		return channel.Message{}, fmt.Errorf("reading the stream: message %d: %w", seq, err)
	}
	at, err := time.Parse(time.RFC3339Nano, reply.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return channel.Message{}, fmt.Errorf("reading the stream: message %d: %w", seq, err)
	}
	return channel.Message{First: seq, Seq: seq, Time: at, Totals: totals, Data: reply.Data}, nil
}
