// Package file is the file channel: it holds events on disk, and has them there
// before it says that they are committed.
//
//	fsrc netcat :44444 | fchan file /var/spool/c1 | fsink file_roll /data
//
// The channel may be killed at any instant and opened again: every put that was
// committed is delivered, and no take that was committed is made twice. After a
// power failure the takes of the last second may be.
//
// DIR belongs to one process at a time; others that name the same DIR become its
// clients, and one of them takes over when it ends. DIR is made if the directory
// that it is in exists. Without DIR the channel lies in the first of dataDirs.
//
// At most capacity events are held, and while less than minimumRequiredSpace is
// free on the disk nothing is put. When the channel is full, a put waits for
// keep-alive and is then refused, unless its sender waits for as long as it
// takes, as a shell pipeline does. Taken events count until their take is
// committed.
//
// When the disk fails or is full, puts wait or are refused with the reason,
// takers go on as far as the store can be read, and the channel works again
// when the disk does. Before a store that was not closed is used, it is checked.
// What is found damaged is set aside in DIR/damaged, all that is whole is kept,
// and what is lost is told to the event, in the log and by fchan stat; with
// on-damage refuse the channel is not opened then. fchan verify checks a store
// and changes nothing.
//
// With retain, events stay in the store for so long after they were put, and can
// be taken again: fchan take DIR --since 10m. They are not counted as held.
//
// With encryption.* the store is encrypted with a key from a Java key store, as
// Flume's is. To change the key, add the new one to the keys, and make it the
// active one; the old one has to stay until what was written with it is taken.
package file

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed file.go
var source string

// Spec is this channel's line in the catalogue.
var Spec = channel.Spec{
	Name:    "file",
	Class:   "org.apache.flume.channel.file.FileChannel",
	Summary: "Hold events on disk.",
	Manual:  component.Manual(source),
	Target:  component.Single("DIR", "dir"),
	New:     func() channel.Options { return new(Options) },
}

// Options are the properties of a file channel.
type Options struct {
	Dir                  string         `name:"dir" placeholder:"DIR" help:"Directory of the channel."`
	DataDirs             []string       `name:"dataDirs" default:"~/.flume/file-channel/data" placeholder:"DIRS" help:"Where the channel lies if dir is not given: in the first of these, which is made."`
	Capacity             option.Int     `name:"capacity" default:"1000000" help:"Most events held."`
	TransactionCapacity  option.Int     `name:"transactionCapacity" default:"10000" help:"Most events in one transaction."`
	TransactionBytes     option.Bytes   `name:"transactionByteCapacity" default:"256MiB" help:"Most bytes in one transaction, and so in one event; 2GiB at most. That many are held in memory on the way in and out."`
	KeepAlive            option.Seconds `name:"keep-alive" default:"3" help:"How long a put waits for room."`
	MinimumRequiredSpace option.Bytes   `name:"minimumRequiredSpace" default:"524288000" help:"Nothing is put while less than this is free on the disk; 1MiB at least."`
	FsyncPerTransaction  option.Bool    `name:"fsyncPerTransaction" default:"true" help:"Have events on the disk before they count as committed."`
	FsyncInterval        option.Seconds `name:"fsyncInterval" default:"5" help:"Without fsyncPerTransaction: how often events are brought to the disk. What was committed since is lost when the machine goes down."`
	OnDamage             string         `name:"on-damage" enum:"quarantine,refuse" default:"quarantine" help:"Where the store is found damaged: set the damaged files aside, say exactly what is lost, and go on; or refuse to open the channel."`
	Retain               option.Seconds `name:"retain" default:"0" help:"How long events stay in the store after they were put, taken or not, so that they can be taken again (fchan take --since). They give way when the disk has no more than minimumRequiredSpace."`

	WithoutEffect WithoutEffect `embed:""`
	Encryption    Encryption    `embed:"" prefix:"encryption." group:"Encryption"`

	visitor bool // see Visitor
}

// Visitor returns the options of one who opens the channel for a moment, and does
// not run it: what is retained is up to the one who runs it.
func Visitor() *Options { return &Options{visitor: true} }

// Validate checks what the values alone can tell.
//
// Flume: a capacity below 1 becomes the default.
func (o *Options) Validate() error {
	switch {
	case o.Capacity < 1:
		return fault.Hint(fmt.Errorf("capacity is %d", o.Capacity), "it must be 1 or more; the default is 1000000")
	case o.TransactionCapacity < 1:
		return fault.Hint(fmt.Errorf("transactionCapacity is %d", o.TransactionCapacity), "it must be 1 or more; the default is 10000")
	case o.TransactionCapacity > o.Capacity:
		return fault.Hint(fmt.Errorf("transactionCapacity is %d, but capacity is %d", o.TransactionCapacity, o.Capacity),
			"raise capacity, or lower transactionCapacity")
	case !bool(o.FsyncPerTransaction) && o.FsyncInterval <= 0:
		return fault.Hint(fmt.Errorf("fsyncInterval is %v", o.FsyncInterval), "it must be more than 0; the default is 5")
	case o.TransactionBytes < 0:
		return fault.Hint(fmt.Errorf("transactionByteCapacity is %d", o.TransactionBytes), "it must be 0, for 2GiB, or more; the default is 256MiB")
	case o.Retain < 0:
		return fault.Hint(fmt.Errorf("retain is %v", o.Retain), "it must be 0 or more")
	}
	return o.Encryption.validate()
}

// Warnings tells which values have no effect.
//
// Flume: the channel lies in all of dataDirs, to have the speed of several disks.
func (o *Options) Warnings() []error {
	first, err := o.firstDataDir()
	if o.Dir != "" || err != nil || len(o.DataDirs) < 2 {
		return nil
	}
	err = fmt.Errorf("dataDirs has %d directories; the channel lies in the first, %s, and the others have no effect", len(o.DataDirs), first)
	return []error{fault.Hint(err, "name one; a channel that is to use several disks needs a file system on all of them")}
}

// MaxEvents implements channel.Options.
func (o *Options) MaxEvents() int { return int(o.TransactionCapacity) }

// Kind implements channel.Options.
func (o *Options) Kind() string { return "file" }

// Forgets implements channel.Options.
func (o *Options) Forgets() bool { return false }

// Policy implements channel.Options.
func (o *Options) Policy() string {
	if o.FsyncPerTransaction {
		return fmt.Sprintf("fsync before each commit, capacity %d events", o.Capacity)
	}
	return fmt.Sprintf("fsync every %v, later commits are lost when the machine goes down, capacity %d events", o.FsyncInterval, o.Capacity)
}

// Path implements channel.Housed.
func (o *Options) Path(context.Context) (path, property string, err error) {
	if o.Dir != "" {
		path, err = filepath.Abs(o.Dir)
		return path, "dir", err
	}
	path, err = o.firstDataDir()
	return path, "dataDirs", err
}

func (o *Options) firstDataDir() (string, error) {
	for _, dir := range o.DataDirs {
		dir = strings.TrimSpace(dir)
		if dir == "" {
			continue
		}
		if below, ok := strings.CutPrefix(dir, "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fault.Hint(fmt.Errorf("dataDirs: %w", err), "name a directory")
			}
			dir = filepath.Join(home, below)
		}
		return filepath.Abs(dir)
	}
	return "", fault.Hint(errors.New("dataDirs names no directory"), "name a directory: fchan file DIR")
}

// Directory implements channel.Located.
func (o *Options) Directory(ctx context.Context) (string, error) {
	path, _, err := o.Path(ctx)
	if err != nil {
		return "", err
	}
	if o.Dir == "" {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return "", fmt.Errorf("dataDirs: %w", err)
		}
		return path, nil
	}
	if err := channel.MakeDir(o.Dir); err != nil {
		return "", fmt.Errorf("making the channel's directory: %w", err)
	}
	return path, nil
}

// Open implements channel.Options.
func (o *Options) Open(ctx context.Context, open channel.OpenStore) (channel.Channel, error) {
	return channel.OpenLocated(ctx, o, open)
}

// OpenIn implements channel.Located.
func (o *Options) OpenIn(ctx context.Context, dir *channel.Dir, open channel.OpenStore) (channel.Channel, error) {
	err := o.agreeOnRetain(dir.Path())
	var conf channel.Config
	if err == nil {
		conf, err = o.Config(ctx, dir)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return channel.OpenQueue(ctx, open, conf)
}

func (o *Options) limits(path string) channel.Limits {
	free := &space{path: path, required: max(1<<20, int64(o.MinimumRequiredSpace))}
	return channel.Limits{
		Events:           int(o.Capacity),
		Transaction:      int(o.TransactionCapacity),
		TransactionBytes: int(min(o.TransactionBytes, event.HeadSize+event.MaxSize)),
		KeepAlive:        o.KeepAlive.Duration(),
		Space:            free.check,
		Texts: channel.Texts{
			Full:     "The channel has reached it's capacity. This might be the result of a sink on the channel having too low of batch size, a downstream system running slower than normal, or that the channel capacity is just too low.",
			TooLarge: fmt.Sprintf("one transaction holds at most %d bytes (transactionByteCapacity)", o.TransactionBytes),
			TooMany:  fmt.Sprintf("Put queue for FileBackedTransaction of capacity %d full, consider committing more frequently, increasing capacity or increasing thread count.", o.TransactionCapacity),
		},
	}
}

// warnOfFlume tells of events that Flume left in the directory.
func warnOfFlume(ctx context.Context, dir string) {
	logs, _ := filepath.Glob(filepath.Join(dir, "log-*[0-9]"))
	if len(logs) > 0 {
		zerolog.Ctx(ctx).Warn().Str("file", logs[0]).
			Msg("the directory has files of Flume's file channel: their events are not delivered here")
	}
}
