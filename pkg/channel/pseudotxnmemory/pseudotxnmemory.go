// Package pseudotxnmemory is the PseudoTxnMemoryChannel: a small memory channel
// that Flume keeps for its tests.
//
//	fsrc netcat :44444 | fchan pseudotxnmemory | fsink logger
//
// It is the memory channel with fewer properties: it holds at most capacity
// events, and loses them with its process. A source's batch of more than that is
// put in parts, each when there is room.
package pseudotxnmemory

import (
	"context"
	_ "embed"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/memory"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed pseudotxnmemory.go
var source string

// Spec is this channel's line in the catalogue.
var Spec = channel.Spec{
	Name:    "pseudotxnmemory",
	Class:   "org.apache.flume.channel.PseudoTxnMemoryChannel",
	Summary: "Hold a few events in memory, for tests.",
	Manual:  component.Manual(source),
	New:     func() channel.Options { return new(Options) },
}

// Options are the properties of a pseudo-transactional memory channel.
//
// Flume: its begin, commit and rollback do nothing, so that a taken event is
// lost if its sink fails. Here they are those of any channel.
type Options struct {
	Capacity  option.Int     `name:"capacity" default:"50" help:"Most events held."`
	KeepAlive option.Seconds `name:"keep-alive" default:"3" help:"How long a put waits for room."`
}

// memory returns the memory channel that this one is.
func (o *Options) memory() *memory.Options {
	return &memory.Options{Capacity: o.Capacity, TransactionCapacity: o.Capacity, KeepAlive: o.KeepAlive}
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error { return o.memory().Validate() }

// MaxEvents implements channel.Options.
func (o *Options) MaxEvents() int { return o.memory().MaxEvents() }

// Splits implements channel.Splitter.
func (o *Options) Splits() {}

// Kind implements channel.Options.
func (o *Options) Kind() string { return "pseudotxnmemory" }

// Forgets implements channel.Options.
func (o *Options) Forgets() bool { return true }

// Policy implements channel.Options.
func (o *Options) Policy() string { return o.memory().Policy() }

// Open implements channel.Options.
//
// Flume: a put waits for room without limit.
func (o *Options) Open(ctx context.Context, open channel.OpenStore) (channel.Channel, error) {
	return o.memory().Open(ctx, open)
}
