// Command fsink runs one sink, or a group of them: it reads events from a pipe, or takes them from a
// channel by its socket, and delivers them.
package main

import (
	"context"
	"os"
	"slices"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/all"
	"github.com/flumekit/flumekit/pkg/sinkgroup"
	"github.com/flumekit/flumekit/pkg/stream"
)

var program = cli.Program{
	Name:    "fsink",
	Kind:    "sink",
	Summary: "fsink delivers events. It reads them from standard input: frames of fsrc and fchan, JSON lines, an Avro file, or text, of which each line is one event. It acknowledges an event only when that is safe at its destination.",
	Examples: []cli.Example{
		{Command: "fsrc netcat :44444 | fsink logger", Effect: "show what comes in by TCP"},
		{Command: "tail -F /var/log/syslog | fsink file_roll /data", Effect: "lines of any program into files"},
		{Command: "fchan take /var/spool/c1 --once | fsink stdout", Effect: "empty a channel into a shell pipeline"},
		{Command: "fsink file_roll /data --channel unix:/run/c1.sock", Effect: "from a channel that runs by itself"},
		{Command: "fsink failover --sinks 'k1 k2' --sinks.k1.type=avro --sinks.k1.hostname=one --sinks.k1.port=4141 --sinks.k2.type=file_roll --sinks.k2.sink.directory=/data", Effect: "to another machine, and into files while that is away"},
	},
	More: "fsink TYPE --help is the manual of a sink. A TYPE that is not listed is the program fsink-TYPE on PATH.",
}

// inputs is where events come from. It is the process's, not the sink's.
type inputs struct {
	Channel string `name:"channel" placeholder:"ADDR" help:"Take from the channel that listens at ADDR (unix:PATH). Without it events come from standard input."`
	Once    bool   `name:"once" help:"With --channel: end when the channel is empty."`
}

// fromChannel bounds what one sink holds of a channel that others may take from too.
var fromChannel = stream.Bounds{WindowBatches: 16}

func main() { os.Exit(cli.Main("fsink", os.Args[1:], run)) }

func run(ctx, stop context.Context, args []string) error {
	var in inputs
	cmd, err := cli.Parse(program, catalog(cli.Type(args)), args,
		cli.Group{Title: "Where events come from", Options: &in, Command: true})
	if err != nil {
		return err
	}
	if group, ok := cmd.Options.(sinkgroup.Options); ok {
		if err := group.Gather(all.For, cmd.Decode); err != nil {
			return err
		}
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	log := zerolog.Ctx(ctx)
	k, err := cmd.Options.Open(stop)
	if err != nil {
		return err
	}
	var reader *stream.Reader
	if in.Channel == "" {
		reader = stream.OpenStdin(os.Stdin, cmd.Name, stream.Bounds{})
		var cancel context.CancelFunc
		stop, cancel = stream.Linger(stop)
		defer cancel()
	} else if reader, err = stream.DialTake(stop, in.Channel, cmd.Name, in.Once, fromChannel); err != nil {
		return err
	}
	maxEvents := 0
	if b, ok := cmd.Options.(sink.Batcher); ok {
		maxEvents = b.MaxEvents()
	}
	counts, err := sink.Run(stop, ctx, k, reader, maxEvents)
	if in.Once || err != nil {
		component.Notice(log).Int64("delivered", counts.Delivered).Int64("failures", counts.Failures).Msg("Events")
	}
	return err
}

// catalog returns the sinks, and the processors of groups of them, to look for
// typ in.
func catalog(typ string) component.Catalog[sink.Options] {
	if _, err := sinkgroup.Catalog.Find("sink", typ); err == nil {
		return slices.Concat(all.Catalog, sinkgroup.Catalog) // it is no plug-in
	}
	return slices.Concat(all.For(typ), sinkgroup.Catalog)
}
