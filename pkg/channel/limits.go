package channel

import (
	"fmt"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// Limits bound what a channel holds. Taken events count until their take is
// committed.
type Limits struct {
	// Events is the most events held (Flume's capacity). A store that holds
	// more when it is opened is not cut; it takes nothing until it is
	// below.
	Events int
	// Bytes is the most bytes held, as Weigh counts them; 0 is no bound.
	Bytes int64
	// Weigh returns what a batch counts against Bytes. Nil counts the bytes
	// of its events as encoded. It must not change while a store has
	// messages.
	Weigh func(*event.Batch) int64
	// Transaction is the most events in one put (transactionCapacity), and
	// in one message that puts are joined to.
	Transaction int
	// TransactionBytes is the most bytes in one put, in binary form; 0 is
	// what the store takes.
	TransactionBytes int
	// KeepAlive is how long an impatient put waits for room.
	KeepAlive time.Duration
	// Space returns nil, or why nothing can be added just now whatever the
	// other limits say: the disk is full. It is asked often. Nil is no
	// such limit.
	Space func() error
	// Texts are the reasons that refused putters are told.
	Texts Texts
}

// Texts are Flume's words for a refusal, which differ between its channels.
type Texts struct {
	Full      string // no room for more events
	FullBytes string // no room for more bytes
	TooMany   string // more events in one put than Transaction
	TooLarge  string // more bytes in one put than TransactionBytes
}

// refusal is a refused put: its text and the sentinel it stands for.
type refusal struct {
	text string
	kind error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

func (l *Limits) weigh(b *event.Batch) Totals {
	bytes := int64(b.Size())
	if l.Weigh != nil {
		bytes = l.Weigh(b)
	}
	return Totals{Events: uint64(b.Len()), Bytes: uint64(bytes)}
}

// neverFits returns why a batch of that weight could not be taken even by an
// empty channel.
func (l *Limits) neverFits(w Totals, encoded, maxMessage int) error {
	switch {
	case w.Events > uint64(l.Transaction):
		return &refusal{l.Texts.TooMany, ErrTooLarge}
	case w.Events > uint64(l.Events):
		return &refusal{fmt.Sprintf("a batch of %d events; the channel's capacity is %d", w.Events, l.Events), ErrTooLarge}
	case l.Bytes > 0 && w.Bytes > uint64(l.Bytes):
		return &refusal{fmt.Sprintf("a batch of %d bytes; the channel's capacity is %d bytes", w.Bytes, l.Bytes), ErrTooLarge}
	case l.TransactionBytes > 0 && encoded > l.TransactionBytes:
		return &refusal{fmt.Sprintf("a batch of %d bytes: %s", encoded, l.Texts.TooLarge), ErrTooLarge}
	case encoded > maxMessage:
		return &refusal{fmt.Sprintf("a batch of %d bytes; one transaction holds at most %d", encoded, maxMessage), ErrTooLarge}
	}
	return nil
}

// noRoom returns why w cannot be added to what is held, nil if it can.
func (l *Limits) noRoom(held, w Totals) error {
	switch {
	case l.Bytes > 0 && held.Bytes+w.Bytes > uint64(l.Bytes):
		return &refusal{l.Texts.FullBytes, ErrFull}
	case held.Events+w.Events > uint64(l.Events):
		return &refusal{l.Texts.Full, ErrFull}
	case l.Space != nil:
		if err := l.Space(); err != nil {
			return &refusal{err.Error(), ErrFull}
		}
	}
	return nil
}
