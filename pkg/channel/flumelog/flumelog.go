// Package flumelog reads the directories of a Flume 1.x file channel, so that
// what was in flight when Flume was stopped, or killed, can go on in a channel
// of Flumekit's.
//
// A file channel is a write-ahead log: files log-N in one or more data
// directories, with a record for each put, take, commit and rollback, and a
// log-N.meta beside each; and a checkpoint directory with the queue as it was at
// some time. A transaction's records all go to one data directory; every record
// has a number, its write order, that grows over all of them.
//
// # What is in the channel
//
// What Flume would deliver after a start: events whose put was committed and
// whose take was not, in the order of the commits. The logs are merged by write
// order and replayed. Puts without a commit are dropped; takes without one are
// undone, and their events stand at the head again.
//
// The checkpoint is where the replay starts, when it is whole: it is complete,
// its parts are of the same write order, and the checksums of its in-flight
// transactions hold. If it is not, the backup checkpoint is tried, if there is one,
// and else all logs are replayed from their first record. That never loses an
// event: Flume deletes a log only when no event in it, or in an older log, is
// still held, so the put and the commit of what is held are always in the logs
// that are left. It can bring back an event that was taken already, when the take
// stood in another data directory's log and that has been deleted.
//
// # Damage
//
// A record that cannot be read is a Damage, reported with its file and offset, and
// reading goes on with the next whole record behind it. A damaged record may have
// been a commit. So the puts of a transaction that has no end, and lie before
// damage in the same data directory, are delivered: such an event may arrive
// twice, or without ever having been acknowledged, but none is lost.
//
// # The directories
//
// Nothing in them is changed, so that reading can be repeated until all is safe
// elsewhere. Only Flume's own lock, in_use.lock in each directory, is held from
// Open to Close: a running agent is noticed, and none can start in between.
package flumelog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

// Options say where a file channel lies. They are the channel's own properties.
type Options struct {
	CheckpointDir       string   // checkpointDir; empty: there is none
	BackupCheckpointDir string   // backupCheckpointDir; empty: there is none
	DataDirs            []string // dataDirs, at least one

	// Keys returns the AES key of an alias. It may be nil if no log is encrypted.
	Keys func(alias string) ([]byte, error)
}

// Channel is a file channel that is being read. It is not safe for concurrent use.
type Channel struct {
	opt    Options
	locks  []*lock
	logs   map[int32]*logFile
	queue  []pointer
	damage []*Damage // what the replay came upon
	lost   map[pointer]bool
	start  string
}

// pointer is where a put lies: its log's number, and the offset in that.
type pointer uint64

func pointerTo(log int32, offset int64) pointer {
	return pointer(uint64(uint32(log))<<32 | uint64(uint32(offset)))
}

func (p pointer) log() int32    { return int32(p >> 32) }
func (p pointer) offset() int64 { return int64(uint32(p)) }

// Damage is a place in a file that could not be read as what it should be. It
// is the error that stands in the place of an event in Channel.Events.
type Damage struct {
	File   string
	Offset int64
	Err    error
}

func (d *Damage) Error() string { return fmt.Sprintf("%s: at offset %d: %v", d.File, d.Offset, d.Err) }

// Unwrap returns what is wrong there.
func (d *Damage) Unwrap() error { return d.Err }

// Open locks the directories and finds out which events the channel holds. It
// reads the logs once, from the checkpoint on, and keeps in memory eight bytes
// an event for as long as the Channel is open, and some forty more meanwhile.
// It refuses directories that a running agent has locked, and encrypted logs whose
// key is missing or wrong. The caller must Close the channel.
func Open(ctx context.Context, opt Options) (*Channel, error) {
	c := &Channel{opt: opt, logs: make(map[int32]*logFile), lost: make(map[pointer]bool)}
	if err := c.open(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Channel) open(ctx context.Context) error {
	if len(c.opt.DataDirs) == 0 {
		return fault.Hint(errors.New("no data directory of the file channel is given"), "give the channel's dataDirs")
	}
	for _, dir := range c.Dirs() {
		l, err := lockDir(dir)
		if err != nil {
			return err
		}
		c.locks = append(c.locks, l)
	}
	for i, dir := range c.opt.DataDirs {
		if err := c.openLogs(i, dir); err != nil {
			return err
		}
	}
	cp, from, err := c.checkpoint()
	if err != nil {
		return err
	}
	c.start = from
	return c.replay(ctx, cp)
}

// openLogs opens the logs in one data directory.
func (c *Channel) openLogs(number int, dir string) error {
	names, err := logNames(dir)
	if err != nil {
		return err
	}
	for id, name := range names {
		if other, ok := c.logs[id]; ok {
			return fault.Hint(fmt.Errorf("%s and %s are logs of the same number", other.path, name),
				"give the data directories of one channel only, each once")
		}
		l, damage, err := openLog(name, id, number, c.opt.Keys)
		if err != nil {
			return err
		}
		c.damage = append(c.damage, damage...)
		if l != nil {
			c.logs[id] = l
		}
	}
	return nil
}

// checkpoint returns where the replay starts, and in words. Without a usable
// checkpoint that is the empty queue before all records.
//
// Flume: also replays everything when the checkpoint's capacity is not the
// configured one; here the capacity is the checkpoint's.
func (c *Channel) checkpoint() (*checkpoint, string, error) {
	why := errors.New("there is no checkpoint")
	for _, from := range []struct {
		dir    string
		backup bool
	}{{c.opt.CheckpointDir, false}, {c.opt.BackupCheckpointDir, true}} {
		if from.dir == "" {
			continue
		}
		cp, err := readCheckpoint(from.dir, from.backup)
		if err == nil {
			return cp, "the checkpoint in " + from.dir, nil
		}
		if !errors.Is(err, errNoCheckpoint) {
			return nil, "", err
		}
		if !from.backup {
			why = err
		}
	}
	return &checkpoint{}, fmt.Sprintf("the first record: %v", why), nil
}

// Start says in words where the replay started, for a log: at a checkpoint, or at
// the first record and why.
func (c *Channel) Start() string { return c.start }

// Len returns how many events the channel holds, those among them that will
// turn out to be damaged included.
func (c *Channel) Len() int { return len(c.queue) }

// Events ranges over the events in the channel's order. An error that is a
// *Damage stands for a damaged record, those that Open came upon first, and the
// range goes on after it; any other error ends it. An event is valid until the next one
// is asked for. The range can be repeated.
func (c *Channel) Events() iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, d := range c.damage {
			if !yield(event.Event{}, d) {
				return
			}
		}
		for _, p := range c.queue {
			if c.lost[p] {
				continue
			}
			e, err := c.event(p)
			if !yield(e, err) {
				return
			}
			var damage *Damage
			if err != nil && !errors.As(err, &damage) {
				return
			}
		}
	}
}

func (c *Channel) event(p pointer) (event.Event, error) {
	l, ok := c.logs[p.log()]
	if !ok {
		return event.Event{}, &Damage{fmt.Sprintf("log-%d", p.log()), p.offset(),
			errors.New("the checkpoint has an event in this log, and the log is missing")}
	}
	return l.event(p.offset())
}

// Dirs returns the directories, each once: what to move aside when all events are
// safe elsewhere.
func (c *Channel) Dirs() []string {
	var all []string
	for _, dir := range slices.Concat(c.opt.DataDirs, []string{c.opt.CheckpointDir, c.opt.BackupCheckpointDir}) {
		if dir = filepath.Clean(dir); dir != "." && !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	return all
}

// Close closes the logs and gives the locks back. It may be called twice.
func (c *Channel) Close() error {
	var errs []error
	for _, l := range c.logs {
		errs = append(errs, l.file.Close())
	}
	for _, l := range c.locks {
		errs = append(errs, l.release())
	}
	c.logs, c.locks, c.queue = nil, nil, nil
	return errors.Join(errs...)
}
