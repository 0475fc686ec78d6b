// Take takes the events out of a channel and writes them to standard output:
//
//	fchan take /var/spool/c1 | fsink file_roll /data
//	fchan take unix:/run/c1.sock --once | jq -r .body
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. No channel needs to run in a directory: if no other process has it,
// this one opens it for as long as it needs.
//
// An event leaves the channel when the reader of standard output has committed
// it, or where the reader does not acknowledge, when it is written. With --once
// the command ends when the channel is empty; without, when it is told to.
//
// # Once more
//
// With --since the command hands out again what was put since then, to this reader
// alone, and ends:
//
//	fchan take /var/spool/c1 --since 10m | fsink file_roll /data
//
// The channel holds after that what it held before: what was taken stays taken, and
// what was not goes to its takers in its turn. A file channel keeps what was taken
// for as long as its property retain says; where that does not reach back so far,
// the command says how far it does.

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed take.go
var takeSource string

// takeOptions are the process's, not the channel's.
type takeOptions struct {
	Once  bool    `name:"once" help:"End when the channel is empty."`
	Since instant `name:"since" placeholder:"WHEN" help:"Hand out once more what was put since then: a duration before now (10m), or a time (2019-05-30T22:50:45Z)."`
}

func runTake(ctx, stop context.Context, args []string) error {
	var taking takeOptions
	var out stream.Output
	cmd, err := cli.Parse(program, at(args, fileCommand("take", "Take events out of a channel to standard output.", takeSource)), args,
		cli.Group{Title: "Taking", Options: &taking, Command: true},
		cli.Group{Title: "Where events go", Options: &out, Command: true})
	if err != nil {
		return err
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	if !taking.Since.IsZero() {
		local, err := besideFile(cmd.Options)
		if err != nil {
			return err
		}
		return takeAgain(ctx, stop, local, taking.Since.Time, out)
	}
	access, err := reach(ctx, cmd.Options)
	if err != nil {
		return err
	}
	delivered, err := take(ctx, stop, access, taking.Once, out)
	if taking.Once || err != nil {
		component.Notice(zerolog.Ctx(ctx)).Int64("delivered", delivered).Msg("Events")
	}
	if err != nil {
		err = fmt.Errorf("%w; what is not delivered is safe in the channel", err)
		err = fault.WithStatus(fault.Hint(err, "run it again"), fault.TryAgain)
	}
	return errors.Join(err, access.Close())
}

// take delivers to standard output until the channel is empty, or with stop.
func take(ctx, stop context.Context, access *channel.Access, once bool, how stream.Output) (int64, error) {
	out, err := openStdout(ctx, how)
	if err != nil {
		return 0, err
	}
	last, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if once {
		end()
	}
	delivered, err := access.Take(stop, last, out)
	if err != nil && stop.Err() == nil {
		out.Abort(err)
		return delivered, err
	}
	return delivered, out.Close(ctx)
}

// takeAgain delivers to standard output what was put since then, and changes
// nothing.
func takeAgain(ctx, stop context.Context, options *file.Options, since time.Time, how stream.Output) error {
	access, err := look(stop, options)
	if err != nil {
		return err
	}
	log := zerolog.Ctx(ctx)
	s, err := access.Stat(stop)
	var delivered int64
	if err == nil {
		tellReach(log, s, since)
		delivered, err = replay(stop, access.Browse(stop, channel.Span{Since: since}), how)
	}
	component.Notice(log).Int64("delivered", delivered).Msg("Events")
	if err != nil {
		err = fmt.Errorf("handing out once more: %w", err)
		err = fault.WithStatus(fault.Hint(err, "run it again"), fault.TryAgain)
	}
	return errors.Join(err, access.Close())
}

// tellReach says how far back the store reaches if that is not as far as is asked.
func tellReach(log *zerolog.Logger, s channel.Stat, since time.Time) {
	switch {
	case s.First <= 1: // nothing was ever forgotten
	case s.Retained == nil:
		component.Notice(log).Msg("the channel keeps nothing that was taken: there is nothing to hand out once more")
	case s.Retained.After(since):
		component.Notice(log).Msgf("the channel does not reach back so far; the oldest that it has was put at %s", stamp(*s.Retained))
	}
}
