// Package memory is the memory channel: it holds events in the memory of its
// process, and loses them with it.
//
//	fsrc netcat :44444 | fchan memory --capacity 100000 | fsink logger
//
// The channel holds at most capacity events, and bodies of at most byteCapacity
// bytes less byteCapacityBufferPercentage of it. A body counts in steps of 100
// bytes, an empty one as 100; headers are what the buffer percentage is for.
// Taken events count until their take is committed. When the channel is full, a
// put waits for keep-alive and is then refused, unless its sender waits for as
// long as it takes, as a shell pipeline does.
package memory

import (
	"context"
	_ "embed"
	"fmt"
	"math"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed memory.go
var source string

// Spec is this channel's line in the catalogue.
var Spec = channel.Spec{
	Name:    "memory",
	Class:   "org.apache.flume.channel.MemoryChannel",
	Summary: "Hold events in memory.",
	Manual:  component.Manual(source),
	New:     func() channel.Options { return new(Options) },
}

// Options are the properties of a memory channel.
//
// Flume: the default of byteCapacity is 80% of the JVM's heap; here it is a
// fixed figure, because there is no heap of a fixed size.
type Options struct {
	Capacity            option.Int     `name:"capacity" default:"100" help:"Most events held."`
	TransactionCapacity option.Int     `name:"transactionCapacity" default:"100" help:"Most events in one transaction."`
	KeepAlive           option.Seconds `name:"keep-alive" default:"3" help:"How long a put waits for room."`
	BufferPercentage    option.Int     `name:"byteCapacityBufferPercentage" default:"20" help:"Part of byteCapacity that is kept free for headers."`
	ByteCapacity        option.Bytes   `name:"byteCapacity" default:"512MiB" help:"Most bytes of bodies held, the buffer included; 0 is no bound."`
}

// Validate checks what the values alone can tell.
//
// Flume: a capacity below 1 becomes the default, with a warning.
func (o *Options) Validate() error {
	switch {
	case o.Capacity < 1:
		return fault.Hint(fmt.Errorf("capacity is %d", o.Capacity), "it must be 1 or more; the default is 100")
	case o.TransactionCapacity < 1:
		return fault.Hint(fmt.Errorf("transactionCapacity is %d", o.TransactionCapacity), "it must be 1 or more; the default is 100")
	case o.TransactionCapacity > o.Capacity:
		return fault.Hint(fmt.Errorf("transactionCapacity is %d, but capacity is %d", o.TransactionCapacity, o.Capacity),
			"raise capacity, or lower transactionCapacity")
	case o.BufferPercentage < 0 || o.BufferPercentage >= 100:
		return fault.Hint(fmt.Errorf("byteCapacityBufferPercentage is %d", o.BufferPercentage), "it must be from 0 to 99; the default is 20")
	case o.ByteCapacity < 0:
		return fault.Hint(fmt.Errorf("byteCapacity is %d", o.ByteCapacity), "it must be 0 or more")
	}
	return nil
}

// MaxEvents implements channel.Options.
func (o *Options) MaxEvents() int { return int(o.TransactionCapacity) }

// Kind implements channel.Options.
func (o *Options) Kind() string { return "memory" }

// Forgets implements channel.Options.
func (o *Options) Forgets() bool { return true }

// Policy implements channel.Options.
func (o *Options) Policy() string {
	return fmt.Sprintf("in memory, lost with the process, capacity %d events", o.Capacity)
}

// Open implements channel.Options.
func (o *Options) Open(ctx context.Context, _ channel.OpenStore) (channel.Channel, error) {
	return channel.OpenQueue(ctx, OpenStore, channel.Config{Limits: o.limits(), TrimBytes: 4 << 20})
}

func (o *Options) limits() channel.Limits {
	bytes := slotSize * o.slots()
	return channel.Limits{
		Events:      int(o.Capacity),
		Bytes:       bytes,
		Weigh:       weigh,
		Transaction: int(o.TransactionCapacity),
		KeepAlive:   o.KeepAlive.Duration(),
		Texts: channel.Texts{
			Full:      "Space for commit to queue couldn't be acquired. Sinks are likely not keeping up with sources, or the buffer size is too tight",
			FullBytes: fmt.Sprintf("Cannot commit transaction. Byte capacity allocated to store event body %d reached. Please increase heap space/byte capacity allocated to the channel as the sinks may not be keeping up with the sources", bytes),
			TooMany:   fmt.Sprintf("Put queue for MemoryTransaction of capacity %d full, consider committing more frequently, increasing capacity or increasing thread count", o.TransactionCapacity),
		},
	}
}

// slotSize is the step in which bodies are counted.
const slotSize = 100

// slots returns how many steps of bytes the channel has room for, as Flume
// reckons them: none is no bound.
func (o *Options) slots() int64 {
	slots := int64(float64(o.ByteCapacity) * (1 - float64(o.BufferPercentage)/100) / slotSize)
	if slots < 1 || slots > math.MaxInt32 {
		return math.MaxInt32
	}
	return slots
}

func weigh(b *event.Batch) int64 {
	slots := int64(0)
	for size := range b.BodySizes() {
		slots += max(1, (int64(size)+slotSize-1)/slotSize)
	}
	return slots * slotSize
}
