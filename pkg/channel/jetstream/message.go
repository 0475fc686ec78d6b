package jetstream

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/flumekit/flumekit/pkg/event"
)

const (
	// eventsHeader says that a message is a batch, and of how many events.
	eventsHeader = "Flumekit-Events"
	// malformedHeader is the header of an event that is a message which says
	// that it is a batch, but is none: why.
	malformedHeader = "flumekit.malformed"
	// headerRoom is for all that a message has besides the batch.
	headerRoom = 1 << 10
)

// encode returns b as a message. It shares b's memory.
func encode(stream, subject, id string, b *event.Batch) *nats.Msg {
	return &nats.Msg{
		Subject: subject,
		Header: nats.Header{
			js.MsgIDHeader:          {id},
			js.ExpectedStreamHeader: {stream},
			eventsHeader:            {strconv.Itoa(b.Len())},
		},
		Data: b.Encoded(),
	}
}

// decode returns the message's events, in its own memory. A message of another
// NATS client is one event. So is a batch that is damaged, with a header that
// says so and an error: it is not for the channel to drop it.
func decode(m *nats.Msg) (*event.Batch, error) {
	b := new(event.Batch)
	if m.Header.Get(eventsHeader) == "" {
		b.Append(event.Event{Headers: headers(m), Body: m.Data})
		return b, nil
	}
	err := b.Decode(m.Data)
	if err != nil {
		b.Append(event.Event{Headers: headers(m).With(malformedHeader, err.Error()), Body: m.Data})
		err = fmt.Errorf("a message of %s says that it is a batch: %w; its bytes are delivered as one event", m.Subject, err)
	}
	return b, err
}

func headers(m *nats.Msg) event.Headers {
	var h event.Headers
	for _, key := range slices.Sorted(maps.Keys(m.Header)) {
		h = h.With(key, strings.Join(m.Header[key], ", "))
	}
	return h
}

// parts returns b in batches whose binary form has at most most bytes each,
// false if one of its events alone has more.
func parts(b *event.Batch, most int) ([]*event.Batch, bool) {
	if event.HeadSize+b.Size() <= most {
		return []*event.Batch{b}, true
	}
	var all []*event.Batch
	var last *event.Batch
	for one := range b.Split(1) {
		size := one.Size()
		if event.HeadSize+size > most {
			return nil, false
		}
		if last == nil || event.HeadSize+last.Size()+size > most {
			last = new(event.Batch)
			all = append(all, last)
		}
		last.AppendBatch(one)
	}
	return all, true
}
