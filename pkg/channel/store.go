package channel

import (
	"context"
	"errors"
	"time"
)

// Message is what a store keeps: the events of one append, in order.
type Message struct {
	// First and Seq are the message's places in the store: First is one more
	// than the Seq of the message before it, and 1 for the first of all. A
	// large message takes several places, and so do the remains of an append
	// that never came to its end.
	First, Seq uint64
	// Time is when it was appended.
	Time time.Time
	// Totals are the events and bytes of this message and of all that were
	// ever appended before it. The difference of two messages' totals is
	// what lies between them, without reading it.
	Totals Totals
	// Data is a batch's binary form (event.Batch.Encoded).
	Data []byte
}

// Totals count events and the bytes they weigh (see Limits.Weigh).
type Totals struct {
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
}

func (t Totals) plus(o Totals) Totals  { return Totals{t.Events + o.Events, t.Bytes + o.Bytes} }
func (t Totals) minus(o Totals) Totals { return Totals{t.Events - o.Events, t.Bytes - o.Bytes} }

// Store is the log in which a channel keeps its messages. It knows nothing of
// transactions, capacity or who has taken what: Channel does.
//
// Appends come one at a time; all else may be called at any time from any
// number of goroutines.
type Store interface {
	// Append adds a message at the end and returns its Seq once it is as
	// safe as the store's policy promises. Nobody changes data afterwards,
	// so that a store may keep it. After an error nobody knows whether the
	// message is in the store; the channel then closes the store and opens it
	// again.
	Append(ctx context.Context, data []byte, totals Totals) (seq uint64, err error)
	// Read returns messages in order from the first whose Seq is from or
	// more: as many as hold most bytes of data, and the one that makes it
	// more; none if there is none. The data is not to be changed. Where
	// messages were lost to damage, First of the next is more than one more
	// than the Seq of the one before.
	Read(ctx context.Context, from uint64, most int) ([]Message, error)
	// Bounds returns First of the first message and Seq of the last. If the
	// store is empty, first is last+1, and last is still the last that was
	// ever appended.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Since returns First of the first message that was appended at t or
	// later, last+1 if there is none.
	Since(ctx context.Context, t time.Time) (seq uint64, err error)
	// Missing returns the places between the bounds whose messages are
	// known to be lost to damage, in order.
	Missing() []Places
	// Trim forgets all messages up to and including the one whose Seq is
	// upTo. Some of them may be back when the store is opened again.
	Trim(ctx context.Context, upTo uint64) error
	// MaxMessage is the most bytes of data that Append takes.
	MaxMessage() int
	// Close gives back all that the store holds.
	Close() error
}

// Places are the places from First through Last in a store.
type Places struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// ErrDamaged is wrapped by the error with which a store is not opened because
// it is damaged and StoreConfig names no place to set the damage aside.
var ErrDamaged = errors.New("the store is damaged")

// OpenStore opens a store. It is what the command that runs a channel brings
// along, so that those who only read its options need not know any store.
//
// What a store finds damaged when it is opened it sets aside and logs, keeps
// everything that is whole, and reports by Missing what is not.
type OpenStore func(ctx context.Context, conf StoreConfig) (Store, error)

// StoreConfig says what a store is kept in.
type StoreConfig struct {
	// Dir is where the files lie; it is made. What is kept in memory has none.
	Dir string
	// SyncInterval is how often the files are synced to the disk. At 0 they
	// are synced before each Append returns.
	SyncInterval time.Duration
	// Aside is the directory into which damaged files are moved; it is made
	// when that happens. At "" a damaged store is not opened: ErrDamaged.
	Aside string
	// Keys encrypt the files at rest. Without keys they are plain.
	Keys *Keys
}

// Keys are what a store's files are encrypted with.
type Keys struct {
	// Active is the key for what is written from now on.
	Active []byte
	// Old are keys with which files may have been written before.
	Old [][]byte
}

// Remover is implemented by stores that can forget one message in their
// middle cheaply. Where one taker is stuck and others are not, it is what
// keeps the memory of taken messages from piling up behind the stuck one.
type Remover interface {
	Remove(ctx context.Context, seq uint64) error
}
