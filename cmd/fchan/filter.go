package main

import (
	"context"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

// filter runs a channel from standard input to standard output. It ends when the
// input has and all of it is delivered.
func filter(ctx, stop context.Context, cmd *cli.Command[channel.Options], out stream.Output) error {
	access, err := channel.Enter(ctx, cmd.Options, embedded.Open)
	if err != nil {
		return err
	}
	tuneMemory(ctx, cmd.Options, access)
	stopPut, end := stream.Linger(stop)
	defer end()
	in := stream.OpenStdin(os.Stdin, cmd.Name, stream.Bounds{MaxEvents: cmd.Options.MaxEvents()})
	ended, intakeEnds := context.WithCancel(context.WithoutCancel(ctx))
	var intake error
	go func() {
		defer intakeEnds()
		_, intake = access.Put(stopPut, in)
		if stop.Err() != nil { // it was asked to end
			intake = nil
		}
	}()
	delivering, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if f, ok := access.Channel().(channel.Forwarder); ok {
		// What waits for another place is safe: nobody waits for that when
		// the process is asked to end.
		defer context.AfterFunc(stop, func() {
			<-ended.Done()
			if err := f.Forward(delivering); err != nil {
				cancel(err)
			}
		})()
	}
	delivery := deliver(delivering, access, ended, out)
	end()
	<-ended.Done()
	in.Close()
	left, lost := held(access, cmd.Options)
	if err := access.Close(); err != nil {
		return fmt.Errorf("closing the channel: %w", err)
	}
	switch {
	case delivery != nil:
		return undelivered(ctx, delivery, cmd.Options, left, lost)
	case intake != nil:
		return fmt.Errorf("reading events: %w; what had been committed is delivered", intake)
	}
	return nil
}

// deliver writes what is taken to standard output until last is done and the
// channel is empty.
func deliver(ctx context.Context, access *channel.Access, last context.Context, how stream.Output) error {
	out, err := openStdout(ctx, how)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	}
	if _, err := access.Take(ctx, last, out); err != nil {
		out.Abort(err)
		return err
	}
	return out.Close(ctx)
}

// openStdout finds out who reads standard output.
func openStdout(ctx context.Context, out stream.Output) (*stream.Writer, error) {
	log := zerolog.Ctx(ctx)
	return out.Open(ctx, component.Name(ctx), func(text string) { component.Notice(log).Msg(text) })
}

// held returns how many events this process's own channel holds, -1 if it is
// another's, and how many of them are lost with the process.
func held(access *channel.Access, options channel.Options) (all, fleeting int) {
	if c := access.Channel(); c != nil {
		return c.Len(), channel.AtStake(c, options)
	}
	return -1, 0
}

// undelivered is the end of a process whose reader is gone.
func undelivered(ctx context.Context, err error, options channel.Options, left, lost int) error {
	if options.Forgets() && left >= 0 {
		err = fmt.Errorf("%w; %d events are lost", err, lost)
		if lost == left {
			return err
		}
		left -= lost
	}
	dir, hint := "the channel", "run it again"
	if housed, ok := options.(channel.Housed); ok {
		path, _, pathErr := housed.Path(ctx)
		if pathErr != nil {
			return err
		}
		dir = path
	}
	if _, ok := options.(channel.Located); ok {
		hint += fmt.Sprintf(", or: fchan take %s | …", dir)
	}
	what := fmt.Sprintf("%d events are", left)
	if left < 0 {
		what = "what is not delivered is"
	}
	err = fmt.Errorf("%w; %s safe in %s", err, what, dir)
	return fault.WithStatus(fault.Hint(err, "%s", hint), fault.TryAgain)
}
