// Package sink is what delivers events. It has the Sink interface that every
// sink implements, and the engine that runs one: batching, retry with backoff,
// acknowledgement, draining.
//
// A sink is a folder below this one with a Spec, an Options struct and a Sink.
// It writes one batch and says whether that is safe; it has no retry and no
// counters of its own.
package sink

import (
	"context"
	"errors"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

// Spec describes a sink: its entry in the catalogue.
type Spec = component.Spec[Options]

// Options are a sink's properties: a pointer to a struct with one tagged field
// a property. They may have a Validate method for what the values alone can
// tell.
type Options interface {
	// Open checks what only the world can tell and returns the sink.
	// Whatever would make the sink useless from the start (a directory that
	// does not exist) is an error here; a peer that is only away just now is
	// not. A logger comes with ctx (zerolog.Ctx).
	Open(ctx context.Context) (Sink, error)
}

// Batcher is implemented by the options of sinks that bound their
// transactions: MaxEvents is the most events in one Write (Flume's batchSize).
// The engine joins smaller batches up to it and cuts larger ones. Sinks without
// it are given the batches as they come. A Sink may implement it too, if the
// bound changes while it runs: it is asked before each Write.
type Batcher interface {
	MaxEvents() int
}

// Sink is a sink that was opened. Its methods are called one at a time.
type Sink interface {
	// Write delivers the events of b in order and returns nil only when
	// every one of them is safe at the destination: then the channel may
	// forget them. After an error the whole batch is written again, later;
	// in a sink group perhaps by another sink, so that the next one here may
	// be another batch. b and its events are valid until Write returns.
	// When ctx is done Write returns soon, with an error if the batch is
	// not safe.
	Write(ctx context.Context, b *event.Batch) error
	// Close gives back all that the sink holds and makes what was written
	// complete (closes and renames files). It is called once, last.
	Close() error
}

// ErrGone is wrapped by a Write's error when the destination will never come
// back, as a pipe that nobody reads any more: the engine then gives up.
var ErrGone = errors.New("the destination is gone")
