// Package spillablememory is the spillable memory channel: it holds events in
// memory, and on disk those for which memory has no room.
//
//	fsrc netcat :44444 | fchan spillablememory /var/spool/c1 | fsink file_roll /data
//
// It is as fast as the memory channel while its sinks keep up, and has the room of
// the file channel when they do not. Mind what that means for an event that was
// committed:
//
//   - in memory, it is lost with the process, also when that ends in good order
//     before the sinks have taken everything;
//   - on disk, it is as safe as in the file channel: it is there before the put is
//     committed, and the next process on DIR delivers it.
//
// Nobody is told which of the two has become of an event. Where none may be lost,
// use the file channel, or set memoryCapacity to 0, which makes this one the same.
//
// Events are held in memory while they fit into memoryCapacity and byteCapacity. A
// put that does not fit waits for overflowTimeout; then it goes to disk, and so
// does all that comes after it, until the sinks have taken everything. After that
// memory is used again. So the order is that of the puts, whatever is where. What
// is found on disk at the start is delivered first. A put that never fits into
// memory goes to disk at once. When the disk has overflowCapacity events or too
// little space, a put waits for overflowTimeout again and is then refused, unless
// its sender waits for as long as it takes, as a shell pipeline does. Taken events
// count until their take is committed.
//
// With overflowCapacity 0 nothing goes to disk, and a put for which memory has no
// room is refused after overflowTimeout; what is found on disk is still delivered.
//
// DIR is as the file channel's: it belongs to one process at a time, others become
// its clients, and it is made if the directory that it is in exists.
package spillablememory

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/channel/memory"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed spillablememory.go
var source string

// Spec is this channel's line in the catalogue.
var Spec = channel.Spec{
	Name:    "spillablememory",
	Class:   "org.apache.flume.channel.SpillableMemoryChannel",
	Summary: "Hold events in memory, and on disk when that is full.",
	Manual:  component.Manual(source),
	Target:  component.Single("DIR", "dir"),
	New:     func() channel.Options { return new(Options) },
}

// Options are the properties of a spillable memory channel: its own, and those of
// the file channel that have a meaning here.
//
// Flume: the default of byteCapacity is 80% of the JVM's heap; here it is a fixed
// figure, because there is no heap of a fixed size.
type Options struct {
	MemoryCapacity   option.Int     `name:"memoryCapacity" default:"10000" help:"Most events held in memory; 0 holds all on disk."`
	OverflowCapacity option.Int     `name:"overflowCapacity" default:"100000000" help:"Most events held on disk; 0 spills nothing to disk."`
	OverflowTimeout  option.Seconds `name:"overflowTimeout" default:"3" help:"How long a put waits for room in memory before it goes to disk, and for room on disk before it is refused."`
	BufferPercentage option.Int     `name:"byteCapacityBufferPercentage" default:"20" help:"Part of byteCapacity that is kept free for headers."`
	ByteCapacity     option.Bytes   `name:"byteCapacity" default:"512MiB" help:"Most bytes of bodies held in memory, the buffer included; 0 is no bound."`

	Dir                  string         `name:"dir" placeholder:"DIR" help:"Directory of the channel."`
	DataDirs             []string       `name:"dataDirs" default:"~/.flume/file-channel/data" placeholder:"DIRS" help:"Where the channel lies if dir is not given: in the first of these, which is made."`
	TransactionCapacity  option.Int     `name:"transactionCapacity" default:"10000" help:"Most events in one transaction."`
	TransactionBytes     option.Bytes   `name:"transactionByteCapacity" default:"256MiB" help:"Most bytes in one transaction, and so in one event; 2GiB at most."`
	MinimumRequiredSpace option.Bytes   `name:"minimumRequiredSpace" default:"524288000" help:"Nothing is put on disk while less than this is free there; 1MiB at least."`
	FsyncPerTransaction  option.Bool    `name:"fsyncPerTransaction" default:"true" help:"Have events that go to disk there before they count as committed."`
	FsyncInterval        option.Seconds `name:"fsyncInterval" default:"5" help:"Without fsyncPerTransaction: how often events are brought to the disk. What was committed since is lost when the machine goes down."`
	OnDamage             string         `name:"on-damage" enum:"quarantine,refuse" default:"quarantine" help:"Where the store is found damaged: set the damaged files aside, say exactly what is lost, and go on; or refuse to open the channel."`

	OverflowDeactivationThreshold option.Int   `name:"overflowDeactivationThreshold" default:"5" notice:"memory is used again once nothing is left on disk"`
	AvgEventSize                  option.Bytes `name:"avgEventSize" default:"500" notice:"bytes are counted one by one"`
	Capacity                      option.Int   `name:"capacity" notice:"it is memoryCapacity and overflowCapacity together"`
	KeepAlive                     option.Int   `name:"keep-alive" notice:"overflowTimeout takes its place"`

	WithoutEffect file.WithoutEffect `embed:""`
	Encryption    file.Encryption    `embed:"" prefix:"encryption." group:"Encryption"`
}

// Validate checks what the values alone can tell.
//
// Flume: a capacity below 0 becomes the default.
func (o *Options) Validate() error {
	switch {
	case o.MemoryCapacity < 0:
		return fault.Hint(fmt.Errorf("memoryCapacity is %d", o.MemoryCapacity), "it must be 0, to hold all on disk, or more; the default is 10000")
	case o.OverflowCapacity < 0:
		return fault.Hint(fmt.Errorf("overflowCapacity is %d", o.OverflowCapacity), "it must be 0, to spill nothing to disk, or more; the default is 100000000")
	case o.overflow() == 0 && o.TransactionCapacity > o.MemoryCapacity:
		return fault.Hint(fmt.Errorf("transactionCapacity is %d, but memoryCapacity is %d, and overflowCapacity 0", o.TransactionCapacity, o.MemoryCapacity),
			"raise memoryCapacity, or lower transactionCapacity")
	case o.overflow() > 0 && o.TransactionCapacity > o.overflow():
		return fault.Hint(fmt.Errorf("transactionCapacity is %d, but overflowCapacity is %d", o.TransactionCapacity, o.overflow()),
			"raise overflowCapacity, or lower transactionCapacity")
	case o.OverflowTimeout < 0:
		return fault.Hint(fmt.Errorf("overflowTimeout is %v", o.OverflowTimeout), "it must be 0 or more; the default is 3")
	case o.BufferPercentage < 0 || o.BufferPercentage >= 100:
		return fault.Hint(fmt.Errorf("byteCapacityBufferPercentage is %d", o.BufferPercentage), "it must be from 0 to 99; the default is 20")
	case o.ByteCapacity < 0:
		return fault.Hint(fmt.Errorf("byteCapacity is %d", o.ByteCapacity), "it must be 0 or more")
	}
	disk := o.disk()
	disk.Capacity = max(disk.Capacity, o.TransactionCapacity, 1)
	return disk.Validate()
}

// Warnings tells which values have no effect.
func (o *Options) Warnings() []error { return o.disk().Warnings() }

// defaultOverflow is that of overflowCapacity, also where it is 0 and memoryCapacity
// is too.
const defaultOverflow = 100_000_000

func (o *Options) holdsNothing() bool { return o.MemoryCapacity == 0 && o.OverflowCapacity == 0 }

// overflow is the most events held on disk.
func (o *Options) overflow() option.Int {
	if o.holdsNothing() {
		return defaultOverflow
	}
	return o.OverflowCapacity
}

// disk returns the file channel that holds what spills.
func (o *Options) disk() *file.Options {
	return &file.Options{
		Dir:                  o.Dir,
		DataDirs:             o.DataDirs,
		Capacity:             o.overflow(),
		TransactionCapacity:  o.TransactionCapacity,
		TransactionBytes:     o.TransactionBytes,
		KeepAlive:            o.OverflowTimeout,
		MinimumRequiredSpace: o.MinimumRequiredSpace,
		FsyncPerTransaction:  o.FsyncPerTransaction,
		FsyncInterval:        o.FsyncInterval,
		OnDamage:             o.OnDamage,
		Encryption:           o.Encryption,
	}
}

// MaxEvents implements channel.Options.
func (o *Options) MaxEvents() int { return int(o.TransactionCapacity) }

// Kind implements channel.Options.
func (o *Options) Kind() string { return "spillablememory" }

// Forgets implements channel.Options.
func (o *Options) Forgets() bool { return true }

// Policy implements channel.Options.
func (o *Options) Policy() string {
	inMemory := fmt.Sprintf("in memory, lost with the process, capacity %d events", o.MemoryCapacity)
	switch {
	case o.overflow() == 0:
		return inMemory
	case o.MemoryCapacity == 0:
		return o.disk().Policy()
	}
	return fmt.Sprintf("%s; what does not fit on disk, %s", inMemory, o.disk().Policy())
}

// Path implements channel.Housed.
func (o *Options) Path(ctx context.Context) (path, property string, err error) {
	return o.disk().Path(ctx)
}

// Directory implements channel.Located.
func (o *Options) Directory(ctx context.Context) (string, error) { return o.disk().Directory(ctx) }

// Open implements channel.Options.
func (o *Options) Open(ctx context.Context, open channel.OpenStore) (channel.Channel, error) {
	return channel.OpenLocated(ctx, o, open)
}

// OpenIn implements channel.Located.
func (o *Options) OpenIn(ctx context.Context, dir *channel.Dir, open channel.OpenStore) (channel.Channel, error) {
	if o.holdsNothing() {
		zerolog.Ctx(ctx).Warn().Msgf("memoryCapacity and overflowCapacity are 0: overflowCapacity is taken as %d", defaultOverflow)
	}
	disk, err := o.disk().Config(ctx, dir)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return channel.OpenSpill(ctx, channel.SpillConfig{
		Memory:     channel.Config{Limits: o.limits(), TrimBytes: 4 << 20},
		OpenMemory: memory.OpenStore,
		Disk:       disk,
		OpenDisk:   open,
	})
}

// limits returns those of what is held in memory.
//
// Flume: bytes are counted in steps of avgEventSize.
func (o *Options) limits() channel.Limits {
	bytes := int64(float64(o.ByteCapacity) * (1 - float64(o.BufferPercentage)/100))
	return channel.Limits{
		Events:      int(o.MemoryCapacity),
		Bytes:       bytes,
		Weigh:       bodyBytes,
		Transaction: int(o.TransactionCapacity),
		KeepAlive:   o.OverflowTimeout.Duration(),
		Texts: channel.Texts{
			Full:      "Spillable Memory Channel's memory capacity has been reached and overflow is disabled. Consider increasing memoryCapacity.",
			FullBytes: fmt.Sprintf("Spillable Memory Channel's memory capacity has been reached: it holds %d bytes, and overflow is disabled. Consider increasing byteCapacity or capacity.", bytes),
			TooMany:   fmt.Sprintf("Put queue for a transaction of capacity %d full, consider committing more frequently, or increasing transactionCapacity", o.TransactionCapacity),
		},
	}
}

func bodyBytes(b *event.Batch) (n int64) {
	for size := range b.BodySizes() {
		n += int64(size)
	}
	return n
}
