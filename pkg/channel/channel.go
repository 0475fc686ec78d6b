// Package channel is what holds events between sources and sinks: puts and
// takes in transactions, capacity, group commit, and the order of it all.
//
// A Channel keeps its messages in a Store, which is only a log. What was taken
// and committed, who holds what, and how much room is left is the channel's own
// business; the part of it that must outlive the process is in a ledger, a
// small file beside the store.
//
// A message is the events of one transaction, or of several that waited at
// the same time (group commit: while one append is on its way to the disk, the
// next gathers). It is handed to one taker at a time as one batch, and is
// committed or given back whole. Takers that keep up are served from memory;
// only a backlog is read from the store, in bulk and ahead of the takers.
//
// # The promise
//
// A put whose done was called with nil is in the store, as safe as the store's
// policy says. A take that was committed is never handed out again once Commit
// has returned, unless the machine itself goes down (then the takes of the last
// second may be). All else is handed out, in the order of the puts, after any
// crash. Nothing is dropped: at its bounds a channel lets putters wait or
// refuses them with a reason.
//
// # A channel's directory
//
// A durable channel lives in a directory that belongs to one process at a time
// (see Dir):
//
//	format   the layout's version: "flumekit channel 2"
//	lock     locked (flock) by the owner, with its process ID as text
//	sock     the Unix socket on which the owner serves other processes
//	ledger   the take position and the put high-water mark
//	retain   how long events are kept after they were put, if they are
//	damaged/ what was set aside, and a note of what that cost
//	store/   the store's own files
package channel

import (
	"context"
	"errors"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// Channel holds events between those who put them in and those who take them
// out. Its methods may be called from any goroutine.
type Channel interface {
	// Putter returns a new putter. Close it after use.
	Putter() Putter
	// Taker returns a new taker. Any number of takers share a channel; each
	// batch goes to one of them. Close it after use.
	Taker() Taker
	// Bounds are what putters are told of the batches that the channel takes.
	Bounds() stream.Bounds
	// Len returns the number of events held, those in takers' hands among
	// them; -1 if nobody knows.
	Len() int
	// Failed is closed when the channel is of no use any more; Err then
	// tells why.
	Failed() <-chan struct{}
	// Err returns why the channel is of no use any more, nil while it is.
	Err() error
	// Close ends the channel: puts that wait for room are refused with
	// ErrClosed, those under way are committed, batches in takers' hands
	// stay for the next time.
	Close() error
}

// Putter puts batches into a channel for one sender, in the order in which the
// sender hands them over.
type Putter interface {
	// Put hands b over and returns at once. done is called when b is
	// committed, with nil, or refused. A putter that waits gets its room in
	// its turn, for as long as that takes; one that does not is refused
	// after the channel's keep-alive.
	//
	// b belongs to the channel from then on: nobody may change it again,
	// also after done. Batches of one putter are committed in the order of
	// the calls. done may be called before Put returns, from any goroutine
	// but one at a time for those that were committed; it must return soon,
	// since other puts wait for it.
	Put(b *event.Batch, wait bool, done func(error))
	// Close gives up the batches that still wait for room; their done is
	// called with ErrClosed. Those that have it are committed.
	Close()
}

// Taker takes batches out of a channel for one receiver.
type Taker interface {
	// Take returns the oldest batch that no taker has, and waits until there
	// is one. Many may be taken before the first is committed. It returns
	// ctx's error when ctx is done, ErrClosed when the taker or the channel
	// is closed, and io.EOF as Last says.
	Take(ctx context.Context) (Take, error)
	// Last makes Take return io.EOF once the channel holds nothing, not even
	// a batch in a taker's hands, which might come back.
	Last()
	// Close returns everything that the taker has not committed.
	Close()
}

// Take is a batch in a taker's hands: committed or returned, whole.
type Take interface {
	// Batch has the events. It is not to be changed, and valid until the
	// take is committed or returned.
	Batch() *event.Batch
	// Commit says that the batch is delivered: the channel forgets it. After
	// an error it may be handed out again, by the next process.
	Commit() error
	// Return gives the batch back: it is the next to be handed out, before
	// all that was put after it.
	Return()
}

// What a put can be refused for. The errors that Put's done is given wrap one
// of these where the channel itself is sound; their own text is Flume's.
var (
	// ErrFull says that there was no room within KeepAlive. It may pass.
	ErrFull = errors.New("channel full")
	// ErrTooLarge says that the batch can never be taken as it is.
	ErrTooLarge = errors.New("batch too large for the channel")
	// ErrClosed says that the channel, or the putter or taker, was closed.
	ErrClosed = errors.New("channel closed")
)

// Spec describes a channel: its entry in the catalogue.
type Spec = component.Spec[Options]

// Options are a channel's properties: a pointer to a struct with one tagged
// field a property. They may have a Validate method for what the values alone
// can tell.
type Options interface {
	// Open checks what only the world can tell, opens the store and returns
	// the channel. A logger comes with ctx (zerolog.Ctx).
	Open(ctx context.Context, open OpenStore) (Channel, error)
	// MaxEvents is the most events in one put (transactionCapacity).
	MaxEvents() int
	// Kind is the channel's type in one word, Policy says in a few how safe
	// a committed event is.
	Kind() string
	Policy() string
	// Forgets says that events held are lost with the process: all, unless the
	// channel is Fleeting.
	Forgets() bool
}

// Splitter is implemented by the options of channels for which Flume has no
// transactionCapacity: sources and sinks may have larger batches than MaxEvents,
// and what is larger is put in parts where its sender can wait.
type Splitter interface {
	Options
	Splits()
}

// Housed is implemented by the options of channels that may have a directory.
type Housed interface {
	// Path returns the absolute path of the directory, which need not exist,
	// and the property that says so; "" if the channel has none. The name is
	// ctx's (component.Name).
	Path(ctx context.Context) (path, property string, err error)
}

// Located is implemented by the options of channels that live in a directory.
type Located interface {
	Options
	Housed
	// Directory returns the directory's path, once it exists: it is made if
	// need be.
	Directory(ctx context.Context) (string, error)
	// OpenIn is Open in a directory that was locked already. The channel
	// gives it up when it is closed; so does OpenIn after an error.
	OpenIn(ctx context.Context, dir *Dir, open OpenStore) (Channel, error)
}

// OpenLocated is the method Open of Located: it locks the directory and opens the
// channel in it.
func OpenLocated(ctx context.Context, o Located, open OpenStore) (Channel, error) {
	path, err := o.Directory(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := LockDir(path)
	if err != nil {
		return nil, err
	}
	return o.OpenIn(ctx, dir, open)
}
