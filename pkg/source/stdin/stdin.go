// Package stdin is the stdin source: it takes each line of standard input as an
// event.
//
// The event's body is the line without its newline; a last line that no newline
// ends is an event too. A line longer than max-line-length becomes several
// events, and a warning says so once.
//
// Lines are committed in batches, several of them under way at a time. A batch
// goes when it has batchSize lines, and at once when no more input is there to
// be read, or after batchTimeout if that is set. The source ends at the end of
// the input, when everything is committed.
//
// When it ends before that, nothing is lost that can be kept. The error tells
// how many lines were committed. A file that is standard input itself always
// stands at the first line that is not committed, even if this process is
// killed: the next command that shares it goes on from there. Lines that were
// read from a pipe and not committed are lost with the process.
//
//	seq 1000000 | fsrc stdin | fsink file_roll /data
//	fsrc stdin < access.log | fchan file /var/spool/c1
//
// Flume has no such source.
package stdin

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
)

//go:embed stdin.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "stdin",
	Summary: "Take the lines of standard input.",
	Manual:  component.Manual(text),
	New:     func() source.Options { return new(Options) },
}

// depth is how many batches may be under way: enough to hide the time that a
// commit takes, an fsync for instance.
const depth = 16

// batchBytes bounds a batch of long lines.
const batchBytes = 4 << 20

// Options are the properties of a stdin source.
type Options struct {
	BatchSize     option.Int    `name:"batchSize" default:"1000" placeholder:"EVENTS" help:"Most lines to commit at once."`
	BatchTimeout  option.Millis `name:"batchTimeout" default:"0" placeholder:"MILLIS" help:"Longest time that a line waits for more to come; 0 is not at all."`
	MaxLineLength option.Bytes  `name:"max-line-length" default:"1MiB" placeholder:"BYTES" help:"Longest body; longer lines become several events."`

	Input *os.File `kong:"-"` // no property: read in place of os.Stdin, if not nil
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case o.BatchSize < 1:
		return fmt.Errorf("batchSize is %d; it must be 1 or more", o.BatchSize)
	case o.BatchTimeout < 0:
		return fmt.Errorf("batchTimeout is %v; it must be 0 or more", o.BatchTimeout)
	case o.MaxLineLength < 1 || o.MaxLineLength > event.MaxSize/4:
		return fmt.Errorf("max-line-length is %v; it must be from 1 to %v", o.MaxLineLength, option.Bytes(event.MaxSize/4))
	}
	return nil
}

// End implements source.Ender: standard input has an end as it is.
func (o *Options) End() {}

// Open implements source.Options.
func (o *Options) Open(context.Context) (source.Source, error) {
	in := o.Input
	if in == nil {
		in = os.Stdin
	}
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at standard input: %w", err)
	}
	if info.IsDir() {
		return nil, fault.Hint(errors.New("standard input is a directory"), "give it a file, or a pipe: cat DIR/* | fsrc stdin")
	}
	l := &lines{opt: o, in: in}
	if info.Mode().IsRegular() {
		if l.start, err = in.Seek(0, io.SeekCurrent); err != nil {
			return nil, fmt.Errorf("looking where standard input stands: %w", err)
		}
		l.seekable = true
	}
	return l, nil
}

// lines is an open stdin source.
type lines struct {
	opt      *Options
	in       *os.File
	seekable bool
	start    int64 // where the input stood, if seekable

	ahead     *source.Ahead
	batch     *event.Batch
	part      []byte   // the beginning of a line
	taken     position // of what is in batches
	committed position // written by ahead until it is finished
	cuts      int      // events that are not the end of their line
}

// position is a place between two events of the input.
type position struct {
	lines int64 // lines that end before it
	bytes int64 // bytes before it, from where the input stood
}

// Run implements source.Source.
func (l *lines) Run(ctx context.Context, put source.Put) error {
	var in io.Reader = l.in
	if l.seekable {
		in = io.NewSectionReader(l.in, l.start, math.MaxInt64-l.start)
	}
	reader, err := startReader(l.in, in)
	if err != nil {
		return err
	}
	l.ahead = source.NewAhead(put, depth)
	l.batch = l.ahead.Next()

	end := l.takeAll(ctx, reader)
	if errors.Is(end, io.EOF) && len(l.part) > 0 {
		l.add(l.part, 0)
	}
	l.send()
	err = l.ahead.Finish()
	switch {
	case err != nil:
	case errors.Is(end, io.EOF):
		return nil
	case end != nil:
		err = fmt.Errorf("reading standard input: %w", end)
	}
	return l.leave(ctx, l.committed, err)
}

// takeAll takes lines until the input ends, fails or is to be read no longer;
// it returns io.EOF, the failure, or nil.
func (l *lines) takeAll(ctx context.Context, r *reader) error {
	defer r.wait()
	warned := false
	var due <-chan time.Time
	stopped := ctx.Done()
	for {
		select {
		case <-stopped: // what was read by then is still to be taken
			stopped = nil
			r.stop()
		case c, ok := <-r.chunks:
			if !ok {
				return nil
			}
			l.take(c.data)
			r.release(c)
			if c.err != nil {
				return c.err
			}
			switch {
			case l.batch.Len() == 0:
				due = nil
			case !c.more && l.opt.BatchTimeout == 0:
				l.send()
			case due == nil && l.opt.BatchTimeout > 0:
				due = time.After(l.opt.BatchTimeout.Duration())
			}
		case <-due:
			due = nil
			l.send()
		case <-l.ahead.Failed():
			return nil
		}
		if l.cuts > 0 && !warned {
			warned = true
			zerolog.Ctx(ctx).Warn().Msgf("line %d is longer than max-line-length, %v: such lines become several events", l.taken.lines+1, l.opt.MaxLineLength)
		}
	}
}

// take takes the lines of data into batches.
func (l *lines) take(data []byte) {
	for {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			break
		}
		line := data[:end]
		if len(l.part) > 0 {
			l.part = append(l.part, line...)
			line = l.part
		}
		l.add(line, 1)
		l.part = l.part[:0]
		data = data[end+1:]
	}
	l.part = append(l.part, data...)
	if rest := l.cut(l.part); len(rest) < len(l.part) {
		l.part = append(l.part[:0], rest...)
	}
}

// add takes one line, or what is left of it, into the batch; newline is 1 if
// one ends it.
func (l *lines) add(line []byte, newline int64) {
	line = l.cut(line)
	l.taken.lines++
	l.append(line, newline)
}

// cut takes as much of line into the batch as is too much for one event, and
// returns the rest.
func (l *lines) cut(line []byte) []byte {
	most := int(l.opt.MaxLineLength)
	for len(line) > most {
		l.append(line[:most], 0)
		l.cuts++
		line = line[most:]
	}
	return line
}

func (l *lines) append(body []byte, newline int64) {
	l.batch.Append(event.Event{Body: body})
	l.taken.bytes += int64(len(body)) + newline
	if l.batch.Len() >= int(l.opt.BatchSize) || l.batch.Size() >= batchBytes {
		l.send()
	}
}

func (l *lines) send() {
	if l.batch.Len() > 0 {
		end := l.taken
		l.batch = l.ahead.Send(l.batch, func() error { return l.mark(end) })
	}
}

// mark makes a file stand at what is not committed. It is read without moving
// it, so that it stands there at all times, even when this process is killed.
func (l *lines) mark(committed position) error {
	l.committed = committed
	if !l.seekable {
		return nil
	}
	if _, err := l.in.Seek(l.start+committed.bytes, io.SeekStart); err != nil {
		return fmt.Errorf("setting standard input to what is not committed: %w", err)
	}
	return nil
}

// leave ends a run that has not come to the end of the input: it says what is
// left and what to do about it.
func (l *lines) leave(ctx context.Context, committed position, err error) error {
	log := zerolog.Ctx(ctx)
	if err == nil && !l.seekable && len(l.part) > 0 {
		log.Warn().Msgf("stopped inside a line: the %d bytes read of it are not delivered", len(l.part))
	}
	if err == nil {
		log.Info().Int64("lines", committed.lines).Msg("stopped before the end of standard input")
		return nil
	}
	if l.start > 0 {
		return fault.Hint(err, "committed %d lines; go on with: tail -c +%d", committed.lines, l.start+committed.bytes+1)
	}
	return fault.Hint(err, "committed %d lines; go on with: tail -n +%d", committed.lines, committed.lines+1)
}
