// Command fchan runs one channel: it holds events between those who put them in
// and those who take them out, over pipes and sockets.
package main

import (
	"context"
	"os"
	"strings"

	"github.com/flumekit/flumekit/pkg/channel/all"
	"github.com/flumekit/flumekit/pkg/channel/jetstream"
	"github.com/flumekit/flumekit/pkg/channel/leafnode"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/stream"
)

var program = cli.Program{
	Name:    "fchan",
	Kind:    "channel",
	Summary: "fchan holds events. Between two commands of a pipeline it takes them in, says when they are committed, and passes them on; with --listen it does that for any number of processes.",
	Usage: []string{
		"fchan put ADDR [--property value ...]",
		"fchan take ADDR [--once | --since WHEN] [--property value ...]",
		"fchan stat | peek | purge | verify | export | import ADDR [--option value ...]",
	},
	Examples: []cli.Example{
		{Command: "fsrc netcat :44444 | fchan file /var/spool/c1 | fsink file_roll /data", Effect: "what is in the channel outlives its processes"},
		{Command: "fsrc stdin < /in/today.log | fchan put /var/spool/c1", Effect: "into the channel, and done"},
		{Command: "fchan take /var/spool/c1 --once | fsink file_roll /data", Effect: "what the channel holds, and done"},
		{Command: "fchan stat /var/spool/c1", Effect: "how much it holds, since when, who is at it"},
		{Command: "fchan memory --capacity 100000 --listen unix:/run/c1.sock", Effect: "a channel that runs by itself"},
	},
	More: "fchan TYPE --help is the manual of a channel; fchan put --help and the like are those of the commands.",
}

// commands are what may stand in place of a channel's type.
var commands = map[string]cli.Run{
	"put":    runPut,
	"take":   runTake,
	"stat":   runStat,
	"peek":   runPeek,
	"purge":  runPurge,
	"verify": runVerify,
	"export": runExport,
	"import": runImport,
}

func main() { os.Exit(cli.Main("fchan", os.Args[1:], run)) }

func run(ctx, stop context.Context, args []string) error {
	ctx = jetstream.WithLeaf(ctx, leafnode.Start)
	if len(args) > 0 {
		if command, ok := commands[strings.ToLower(args[0])]; ok {
			return command(ctx, stop, args)
		}
	}
	var serving serverOptions
	var out stream.Output
	cmd, err := cli.Parse(program, all.Catalog, args,
		cli.Group{Title: "Who puts and takes", Options: &serving, Command: true},
		cli.Group{Title: "Where events go", Options: &out, Command: true})
	if err != nil {
		return err
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	if serving.Listen != "" {
		return serve(ctx, stop, cmd, serving.Listen)
	}
	return filter(ctx, stop, cmd, out)
}
