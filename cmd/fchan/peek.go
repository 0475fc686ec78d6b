// Peek shows events that a channel holds and takes none of them:
//
//	fchan peek /var/spool/c1
//	fchan peek unix:/run/c1.sock --last 3 --json
//	fchan peek /var/spool/c1 --since 10m --first 0 | jq -r .body
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. Whoever puts and takes meanwhile goes on undisturbed; what is put after
// the command has begun is not shown.
//
// To a terminal, or with --format text, a line is the event's number (that of its
// batch), when it was put, the batch's state and the event as the logger sink
// prints it. Otherwise each event is a JSON object, or what --format says, as from
// fchan take. --json has all of it, one object a line:
//
//	{"seq":812,"time":"2019-05-30T22:50:45.479Z","state":"waiting","headers":{},"body":"hi"}
//
// A batch is waiting for a taker, in hand of one who has not committed it, or,
// with --since, taken: in the store still, since it is retained or not yet
// trimmed.

package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventjson"
	"github.com/flumekit/flumekit/pkg/eventtext"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed peek.go
var peekSource string

// peekOptions are which events are shown.
type peekOptions struct {
	First  int     `name:"first" default:"10" placeholder:"N" help:"Show the first N events; 0 is all."`
	Last   int     `name:"last" placeholder:"N" help:"Show the last N events that are held."`
	Since  instant `name:"since" placeholder:"WHEN" help:"Show what was put since then, taken or not: a duration before now (10m), or a time (2019-05-30T22:50:45Z)."`
	Format string  `name:"format" enum:"auto,json,text,avro,frame" default:"auto" help:"Form of the events. auto is text to a terminal, JSON lines otherwise."`
	JSON   bool    `name:"json" help:"One JSON object a line, with the number, time and state of the event's batch."`
}

// span returns what part of the channel is asked for, and the most events of it; 0
// is no bound.
func (o *peekOptions) span() (span channel.Span, most int, err error) {
	switch {
	case o.First < 0 || o.Last < 0:
		err = fmt.Errorf("--first=%d --last=%d: a number of events cannot be below 0", o.First, o.Last)
	case o.Last > 0 && !o.Since.Time.IsZero():
		err = fault.Hint(errors.New("--last and --since do not go together"), "--since %s --first 0 shows all since then", "10m")
	case o.Last > 0:
		return channel.Span{Last: o.Last}, 0, nil
	}
	return channel.Span{Since: o.Since.Time}, o.First, fault.WithStatus(err, fault.Usage)
}

// instant is a point in time, as people name one.
type instant struct{ time.Time }

// UnmarshalText reads a duration, which counts back from now, or a time in RFC 3339,
// of which the zone, the time of day and its seconds may be left out.
func (i *instant) UnmarshalText(text []byte) error {
	if d, err := time.ParseDuration(string(text)); err == nil && d > 0 {
		i.Time = time.Now().Add(-d)
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, string(text), time.Local); err == nil {
			i.Time = t
			return nil
		}
	}
	return fault.Hint(fmt.Errorf("%q is not a time", text), "write 10m, 2h30m, 2019-05-30T22:50:45Z or \"2019-05-30 22:50\"")
}

func runPeek(ctx, stop context.Context, args []string) error {
	var peeking peekOptions
	cmd, err := cli.Parse(program, lookCatalog("peek", "Show events that a channel holds.", peekSource), args, cli.Group{Title: "Which events", Options: &peeking, Command: true})
	if err != nil {
		return err
	}
	span, most, err := peeking.span()
	if err != nil {
		return err
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	access, err := cmd.Options.look(stop)
	if err != nil {
		return err
	}
	shown := limited(access.Browse(stop, span), most)
	switch {
	case peeking.JSON:
		err = printShown(shown, appendShownJSON)
	case peeking.Format == string(stream.Text), peeking.Format == string(stream.Auto) && isTerminal(os.Stdout):
		err = printShown(shown, appendShownText)
	default:
		_, err = replay(ctx, shown, stream.Output{Format: peeking.Format, Ack: string(stream.AckOff)})
	}
	if err = errors.Join(err, access.Close()); err != nil {
		err = fmt.Errorf("looking into the channel: %w", err)
	}
	return err
}

// limited ranges over the batches of shown up to most events; 0 is all of them.
func limited(shown iter.Seq2[channel.Shown, error], most int) iter.Seq2[channel.Shown, error] {
	if most == 0 {
		return shown
	}
	return func(yield func(channel.Shown, error) bool) {
		left := most
		for s, err := range shown {
			if s.Batch != nil && s.Batch.Len() > left {
				for part := range s.Batch.Split(left) {
					s.Batch = part
					break
				}
			}
			if s.Batch != nil {
				left -= s.Batch.Len()
			}
			if !yield(s, err) || left == 0 {
				return
			}
		}
	}
}

// printShown writes a line for each event to standard output, as line makes them. A
// damaged batch is told of in the end; the others are shown.
func printShown(shown iter.Seq2[channel.Shown, error], line func([]byte, channel.Shown, event.Event) []byte) error {
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	var damage, buf = error(nil), []byte(nil)
	for s, err := range shown {
		switch {
		case errors.Is(err, event.ErrMalformed):
			damage = err
			continue
		case err != nil:
			return errors.Join(err, out.Flush())
		}
		for e := range s.Batch.All() {
			buf = line(buf[:0], s, e)
			if _, err := out.Write(buf); err != nil {
				return fmt.Errorf("writing to standard output: %w", err)
			}
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return damage
}

func appendShownJSON(dst []byte, s channel.Shown, e event.Event) []byte {
	dst = strconv.AppendUint(append(dst, `{"seq":`...), s.Seq, 10)
	dst = s.Time.UTC().AppendFormat(append(dst, `,"time":"`...), time.RFC3339Nano)
	dst = append(append(append(dst, `","state":"`...), s.State...), '"', ',')
	at := len(dst)
	dst = append(eventjson.Append(dst, e), '\n')
	return append(dst[:at], dst[at+1:]...) // less its brace
}

func appendShownText(dst []byte, s channel.Shown, e event.Event) []byte {
	dst = strconv.AppendUint(dst, s.Seq, 10)
	dst = s.Time.Local().AppendFormat(append(dst, ' '), "2006-01-02 15:04:05,000")
	dst = append(append(append(dst, ' '), s.State...), ' ')
	return append(eventtext.Append(dst, e, eventtext.DefaultBytes), '\n')
}

// replay delivers batches to standard output and returns how many events that were.
func replay(ctx context.Context, shown iter.Seq2[channel.Shown, error], how stream.Output) (int64, error) {
	out, err := openStdout(ctx, how)
	if err != nil {
		return 0, err
	}
	n, err := channel.Replay(ctx, shown, out)
	if err != nil {
		out.Abort(err)
		return n, err
	}
	return n, out.Close(ctx)
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}
