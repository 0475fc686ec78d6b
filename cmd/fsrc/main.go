// Command fsrc runs one source: it takes events in and passes them to the next
// command over a pipe, or to channels over their sockets.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/all"
	"github.com/flumekit/flumekit/pkg/stream"
)

var program = cli.Program{
	Name:    "fsrc",
	Kind:    "source",
	Summary: "fsrc takes events in and passes them on: through a pipe to fchan, fsink or any program that reads JSON lines, or to channels by their sockets. It tells its sender that an event is received only when the far end has committed it.",
	Examples: []cli.Example{
		{Command: "fsrc netcat :44444 | fsink logger", Effect: "show what comes in by TCP"},
		{Command: "fsrc stdin < events.log | fchan file /var/spool/c1 | fsink file_roll /data", Effect: "through a durable channel into files"},
		{Command: "fsrc exec 'tail -F /var/log/syslog' | jq -r .body", Effect: "lines as JSON, to a program that is not ours"},
		{Command: "fsrc netcat :44444 --channel c1=unix:/run/c1.sock", Effect: "into a channel that runs by itself"},
	},
	More: "fsrc TYPE --help is the manual of a source. A TYPE that is not listed is the program fsrc-TYPE on PATH.",
}

// outputs is where events go. It is the process's, not the source's.
type outputs struct {
	Channel   []string      `name:"channel" sep:"none" placeholder:"NAME=ADDR" help:"Put into the channel that listens at ADDR (unix:PATH), under the name that the selector knows. May be given several times. Without it events go to standard output."`
	Stdout    stream.Output `embed:""`
	Once      bool          `name:"once" help:"Read what is there, wait until it is committed, end."`
	ReadyFile string        `name:"ready-file" placeholder:"FILE" help:"Write the address that the source listens on to this file, once it does."`
}

func main() { os.Exit(cli.Main("fsrc", os.Args[1:], run)) }

func run(ctx, stop context.Context, args []string) error {
	var out outputs
	var common source.Common
	cmd, err := cli.Parse(program, all.For(cli.Type(args)), args,
		cli.Group{Title: "Every source", Options: &common},
		cli.Group{Title: "Where events go", Options: &out, Command: true})
	if err != nil {
		return err
	}
	names, addrs, err := out.channels()
	if err != nil {
		return err
	}
	flow, err := common.Flow(names, cmd.Decode)
	if err != nil {
		return fault.WithStatus(err, fault.Usage)
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	log := zerolog.Ctx(ctx)
	if out.Once {
		ender, ok := cmd.Options.(source.Ender)
		if !ok {
			return fault.WithStatus(fault.Hint(fmt.Errorf("--once: a %s source has no end to come to", cmd.Spec.Name),
				"leave --once out and end it with a signal"), fault.Usage)
		}
		ender.End()
	}
	src, err := cmd.Options.Open(stop)
	if err != nil {
		return err
	}
	if listening, ok := src.(source.Addresser); ok {
		log.Info().Msgf("Listening on %s", listening.Addr())
	}
	if err := out.ready(src); err != nil {
		return err
	}
	if flow.Channels, err = out.open(stop, cmd.Name, addrs, log); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() == nil {
			return nil // asked to stop before anything was taken in
		}
		return err
	}
	counts, err := source.Run(stop, ctx, src, flow)
	if out.Once || err != nil {
		component.Notice(log).Int64("received", counts.Received).Int64("accepted", counts.Accepted).
			Int64("dropped", counts.Dropped).Int64("refused", counts.Refused).Msg("Events")
	}
	return err
}

// stdoutName is the name of the one channel that there is over a pipe.
const stdoutName = "stdout"

// channels returns the channels' names and addresses in order.
func (o *outputs) channels() (names, addrs []string, err error) {
	for _, c := range o.Channel {
		name, addr, ok := strings.Cut(c, "=")
		if !ok || name == "" {
			return nil, nil, fault.WithStatus(fault.Hint(fmt.Errorf("--channel: %q has no name", c),
				"write --channel NAME=unix:PATH"), fault.Usage)
		}
		names, addrs = append(names, name), append(addrs, addr)
	}
	if len(names) == 0 {
		names = []string{stdoutName}
	}
	return names, addrs, nil
}

// open connects to the channels, or finds out who reads standard output.
func (o *outputs) open(ctx context.Context, name string, addrs []string, log *zerolog.Logger) ([]*stream.Writer, error) {
	if len(addrs) == 0 {
		w, err := o.Stdout.Open(ctx, name, func(text string) { component.Notice(log).Msg(text) })
		return []*stream.Writer{w}, err
	}
	var writers []*stream.Writer
	for _, addr := range addrs {
		w, err := stream.DialPut(ctx, addr, name)
		if err != nil {
			for _, w := range writers {
				w.Abort(err)
			}
			return nil, err
		}
		writers = append(writers, w)
	}
	return writers, nil
}

// ready writes the address that src listens on to the ready file, at once whole.
func (o *outputs) ready(src source.Source) error {
	if o.ReadyFile == "" {
		return nil
	}
	listening, ok := src.(source.Addresser)
	if !ok {
		return fault.WithStatus(errors.New("--ready-file: this source does not listen"), fault.Usage)
	}
	temporary := o.ReadyFile + ".tmp"
	if err := os.WriteFile(temporary, []byte(listening.Addr().String()+"\n"), 0o644); err != nil {
		return fmt.Errorf("writing --ready-file: %w", err)
	}
	if err := os.Rename(temporary, o.ReadyFile); err != nil {
		return fmt.Errorf("writing --ready-file: %w", err)
	}
	return nil
}
