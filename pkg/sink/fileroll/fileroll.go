// Package fileroll is the file_roll sink: it writes events to files in a local
// directory and starts a new file every so often.
//
//	fsrc netcat :44444 | fsink file_roll /data
//
// The file is made at the first event. Every sink.rollInterval, counted from
// the start, it is completed, and the next event makes the next file; without
// events there are no files. A batch is never split over two files. A file has
// its final name from the start:
//
//	1577836800000-1.log     milliseconds at the start, and a counter
//	20200101000000-1.log    ROLLTIME: when the file was made, and a counter
//
// with sink.pathManager.prefix before it, and sink.pathManager.extension after
// a dot. A file that is already there is never written to: the counter passes
// over it.
//
// What is written is up to the event serializer: sink.serializer, and its
// properties as sink.serializer.NAME. The default writes bodies, one a line.
//
// Events are delivered when the kernel has them: they outlive this process,
// killed at any moment, but not a power failure. With fsync they are on the
// disk first. After a failed write the file is cut back to the last batch that
// was delivered, and the batch is written again whole. A process that was
// killed within a write may leave the start of a batch at the end of its file;
// that batch is delivered again, to the next process's file.
package fileroll

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/serializer"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed fileroll.go
var source string

// Spec is this sink's line in the catalogue.
var Spec = sink.Spec{
	Name:    "file_roll",
	Class:   "org.apache.flume.sink.RollingFileSink",
	Summary: "Write events to files in a local directory.",
	Manual:  component.Manual(source),
	Target:  component.Single("DIR", "sink.directory"),
	New:     func() sink.Options { return new(Options) },
}

// Options are the properties of a file_roll sink.
type Options struct {
	Directory    string            `name:"sink.directory" required:"" placeholder:"DIR" help:"Directory to write to. It must exist."`
	RollInterval option.Seconds    `name:"sink.rollInterval" default:"30" help:"Complete the file every so often; 0 keeps one file for ever."`
	BatchSize    option.Int        `name:"sink.batchSize" default:"100" help:"Most events to write in one transaction."`
	Serializer   serializer.Choice `name:"sink.serializer" default:"TEXT" help:"Event serializer: what is written to the files."`
	PathManager  string            `name:"sink.pathManager" enum:"DEFAULT,ROLLTIME" default:"DEFAULT" help:"How files are named."`
	Prefix       string            `name:"sink.pathManager.prefix" placeholder:"TEXT" help:"What the files' names start with."`
	Extension    string            `name:"sink.pathManager.extension" placeholder:"TEXT" help:"What the files' names end with, after a dot."`
	Fsync        option.Bool       `name:"fsync" default:"false" help:"Have each batch on the disk before it counts as delivered."`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	// Flume: a batchSize below 1 makes a sink that takes nothing and never rests.
	if o.BatchSize < 1 {
		return fault.Hint(fmt.Errorf("sink.batchSize is %d", o.BatchSize), "it must be 1 or more; the default is 100")
	}
	return nil
}

// MaxEvents implements sink.Batcher.
func (o *Options) MaxEvents() int { return int(o.BatchSize) }

// Open implements sink.Options.
func (o *Options) Open(ctx context.Context) (sink.Sink, error) {
	if err := checkDirectory(o.Directory); err != nil {
		return nil, err
	}
	log := zerolog.Ctx(ctx)
	if o.RollInterval <= 0 {
		log.Info().Msg("RollInterval is not valid, file rolling will not happen.")
	}
	return &rollingFile{
		dir:      o.Directory,
		interval: o.RollInterval.Duration(),
		fsync:    bool(o.Fsync),
		format:   o.Serializer,
		log:      log,
		opened:   time.Now(),
		names:    newNamer(o),
	}, nil
}

// checkDirectory finds out now what would else be found out at the first event.
//
// Flume: the directory is looked at for the first time when the first event comes.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Hint(fmt.Errorf("sink.directory %q does not exist", dir), "make it: mkdir -p %s", dir)
	case err != nil:
		return fault.Hint(fmt.Errorf("checking sink.directory: %w", err), "name a directory that this user can write to")
	case !info.IsDir():
		return fault.Hint(fmt.Errorf("sink.directory %q is not a directory", dir), "name the directory that the files are to be made in")
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fault.Hint(fmt.Errorf("sink.directory %q cannot be written to: %w", dir, err), "give user %d the right to make files there, or name another directory", os.Getuid())
	}
	return nil
}

type rollingFile struct {
	dir      string
	interval time.Duration
	fsync    bool
	format   serializer.Options
	log      *zerolog.Logger
	opened   time.Time

	mu    sync.Mutex // guards what follows, which Write and the timer share
	names namer
	file  *file       // nil until there is an event to write
	due   bool        // the file is to be completed before the next batch
	timer *time.Timer // calls tick
}

func (r *rollingFile) Write(ctx context.Context, b *event.Batch) error {
	if err := ctx.Err(); err != nil || b.Len() == 0 {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.due {
		if err := r.roll(); err != nil {
			return err
		}
	}
	if r.file == nil {
		// Flume: the next file is made as soon as one is complete, and so
		// an idle agent makes empty files without end.
		if err := r.create(); err != nil {
			return err
		}
	}
	err := r.file.write(b)
	if r.file.spoiled {
		r.abandon()
	}
	return err
}

// create makes the next file.
func (r *rollingFile) create() error {
	f, err := create(r.dir, &r.names, r.format, r.fsync)
	if err != nil {
		return fmt.Errorf("making the next file: %w", err)
	}
	r.file = f
	if r.interval > 0 {
		r.schedule()
	}
	return nil
}

// schedule arranges for the next tick: like Flume's, the ticks are counted
// from the start, so that the same events come to lie in one file.
func (r *rollingFile) schedule() {
	r.timer = time.AfterFunc(r.interval-time.Since(r.opened)%r.interval, r.tick)
}

func (r *rollingFile) tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return
	}
	if err := r.roll(); err != nil {
		r.log.Warn().Err(err).Msg("The file could not be completed, which is tried again.")
		if r.file != nil {
			r.schedule()
		}
	}
}

// roll completes the file. After an error it is still due.
//
// Flume: after a failed rotation the same file is opened again and truncated,
// and all that was in it is lost.
func (r *rollingFile) roll() error {
	r.due = true
	path := r.file.path()
	if err := r.file.complete(); err != nil {
		if r.file.spoiled {
			r.abandon()
		}
		return fmt.Errorf("completing %s: %w", path, err)
	}
	return r.close()
}

// close closes the file, which is then no longer the sink's, come what may.
func (r *rollingFile) close() error {
	if r.timer != nil {
		r.timer.Stop()
	}
	f := r.file
	r.file, r.due = nil, false
	return f.close()
}

// abandon gives up a file that cannot be written to any more. What was
// delivered is in it; the next batch makes the next file.
func (r *rollingFile) abandon() {
	path := r.file.path()
	err := r.close()
	r.log.Warn().Err(err).Str("file", path).Msg("The file cannot be written to any more, the next batch makes another.")
}

func (r *rollingFile) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	path := r.file.path()
	err := r.file.complete()
	if err != nil {
		err = fmt.Errorf("completing %s: %w", path, err)
	}
	return errors.Join(err, r.close())
}
