package channel

import (
	"context"
	"time"
)

// Message is what a store keeps: the events of one append, in order.
type Message struct {
	// Seq is the message's place in the store: 1 for the first, and one
	// more for each that follows.
	Seq uint64
	// Totals are the events and bytes of this message and of all that were
	// ever appended before it. The difference of two messages' totals is
	// what lies between them, without reading it.
	Totals Totals
	// Data is a batch's binary form (event.Batch.Encoded).
	Data []byte
}

// Totals count events and the bytes they weigh (see Limits.Weigh).
type Totals struct {
	Events, Bytes uint64
}

func (t Totals) plus(o Totals) Totals  { return Totals{t.Events + o.Events, t.Bytes + o.Bytes} }
func (t Totals) minus(o Totals) Totals { return Totals{t.Events - o.Events, t.Bytes - o.Bytes} }

// Store is the log in which a channel keeps its messages. It knows nothing of
// transactions, capacity or who has taken what: Channel does.
//
// Appends come one at a time; all else may be called at any time from any
// number of goroutines.
type Store interface {
	// Append adds a message at the end and returns its sequence once it is
	// as safe as the store's policy promises. It does not keep data. After
	// an error nobody knows whether the message is in the store; the
	// channel then makes no further use of it.
	Append(ctx context.Context, data []byte, totals Totals) (seq uint64, err error)
	// Read returns messages in order from the first whose sequence is from
	// or more: as many as hold most bytes of data, and the one that makes
	// it more; none if there is none. The data belongs to the caller.
	Read(ctx context.Context, from uint64, most int) ([]Message, error)
	// Bounds returns the sequences of the first and the last message. If
	// the store is empty, first is last+1, and last is still the last that
	// was ever appended.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Trim forgets all messages up to and including the one at upTo.
	Trim(ctx context.Context, upTo uint64) error
	// MaxMessage is the most bytes of data that Append takes.
	MaxMessage() int
	// Close gives back all that the store holds.
	Close() error
}

// OpenStore opens a store. It is what the command that runs a channel brings
// along, so that those who only read its options need not know any store.
type OpenStore func(ctx context.Context, conf StoreConfig) (Store, error)

// StoreConfig says what a store is kept in.
type StoreConfig struct {
	// Dir is where the files lie; it is made. "" keeps all in memory.
	Dir string
	// SyncInterval is how often the files are synced to the disk. At 0 they
	// are synced before each Append returns.
	SyncInterval time.Duration
}

// Remover is implemented by stores that can forget one message in their
// middle cheaply. Where one taker is stuck and others are not, it is what
// keeps the memory of taken messages from piling up behind the stuck one.
type Remover interface {
	Remove(ctx context.Context, seq uint64) error
}
