// Package source is what takes events in. It has the Source interface that
// every source implements, and the engine that runs one: interceptors, the
// channel selector, commits to one or more channels, draining.
//
// A source is a folder below this one with a Spec, an Options struct and a
// Source. It reads its input, makes batches and hands them to Put; it has no
// retry, no routing and no counters of its own.
package source

import (
	"context"
	"errors"
	"net"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

// Spec describes a source: its entry in the catalogue.
type Spec = component.Spec[Options]

// Options are a source's properties: a pointer to a struct with one tagged
// field a property. They may have a Validate method for what the values alone
// can tell.
type Options interface {
	// Open checks what only the world can tell, takes what the source needs
	// of it (binds a port, opens a file) and returns the source. Whatever
	// would make the source useless from the start is an error here, not at
	// the first event. A logger comes with ctx (zerolog.Ctx).
	Open(ctx context.Context) (Source, error)
}

// Source is a source that was opened. Run is called once.
type Source interface {
	// Run takes events in and hands them to put. It returns nil at the end
	// of the input, or when ctx is done: then it stops its intake, lets the
	// batches in hand be committed, answers their senders, and gives back
	// all that Open took. Any other end is an error.
	Run(ctx context.Context, put Put) error
}

// Ender is implemented by the options of sources that have an end to come to:
// they read what is there and are done. End is called before Open when the
// user asked for that (--once). Sources without it refuse --once.
type Ender interface {
	End()
}

// Addresser is implemented by sources that listen; it tells where, which
// matters when the port was 0.
type Addresser interface {
	Addr() net.Addr
}

// Put takes batches from a source into its channels: through the interceptors
// and the selector, then to each channel that was selected. A batch is
// committed when every required channel has committed its part.
//
// Any number of goroutines may call Put's methods at once. The batches that
// one goroutine hands over are committed in that order. A batch belongs to Put
// until it is committed or refused: it must not be changed before.
//
// No method takes a context: a source that is asked to stop still waits for
// what it has handed over. When the process must end at once, all calls return
// ErrStopped.
type Put interface {
	// Begin hands b over and returns without waiting for the commit, so
	// that the next batch can be read meanwhile. It waits while too much is
	// under way. Full or absent channels are waited for and tried again for
	// as long as it takes; the commit fails only for what cannot get better.
	// It is for sources whose input can wait: files, commands, brokers.
	Begin(b *event.Batch) Commit
	// Commit is Begin and then Wait.
	Commit(b *event.Batch) error
	// Try commits b or reports why that was refused, after the channel's
	// keep-alive at most. It is for sources that can tell their sender. The
	// error's text is for that sender: Flume's text where Flume has one.
	Try(b *event.Batch) error
	// MaxEvents is the most events that every channel takes in one batch
	// (the least transactionCapacity), 0 if there is no bound. Batches
	// larger than that are refused by Try and cut up by Begin and Commit.
	MaxEvents() int
}

// Commit is a batch on its way.
type Commit interface {
	// Wait returns nil when the batch is committed, or the reason why it
	// never will be. It may be called once.
	Wait() error
}

// ErrStopped is what Put returns once the process has to end at once.
var ErrStopped = errors.New("stopped before the batch was committed")
