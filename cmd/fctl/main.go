// Fctl runs a Flume configuration as processes of fsrc, fchan and fsink, and
// says beforehand what is wrong with it and what it comes to. Under the name
// flume-ng it is flume-ng.
package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/flumekit/flumekit/pkg/cli"
)

func main() { os.Exit(run(os.Args)) }

// run is the command: which one, the name says that it was called by.
func run(args []string) int {
	name, args := filepath.Base(args[0]), args[1:]
	if name != "flume-ng" {
		return cli.Main("fctl", args, fctl)
	}
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	if !isFlumeCommand(command) {
		return refuse(command)
	}
	return cli.Main(name, args, flumeNG)
}

// commands are the subcommands of fctl.
type commands struct {
	Agent   agentCommand      `cmd:"" help:"Run an agent of a Flume configuration: one process a component."`
	Check   checkCommand      `cmd:"" help:"Tell all that is wrong with a configuration."`
	Plan    planCommand       `cmd:"" help:"Print an agent as shell lines that can be run by hand."`
	Avro    avroClientCommand `cmd:"" name:"avro-client" help:"Send lines to an avro source."`
	Types   typesCommand      `cmd:"" help:"List the types of components."`
	Version versionCommand    `cmd:"" help:"Print the version."`
}

// flumeCommands are the commands that take their options as flume-ng does.
var flumeCommands = map[string][]flumeOption{"agent": agentOptions, "avro-client": avroClientOptions}

var program = cli.Program{
	Name:    "fctl",
	Summary: "Run a Flume 1.x configuration as processes of fsrc, fchan and fsink.",
	Examples: []cli.Example{
		{Command: "fctl agent -n a1 -f flume.conf", Effect: "run agent a1 until SIGTERM"},
		{Command: "fctl check flume.conf", Effect: "tell what is wrong with the file"},
		{Command: "fctl plan flume.conf -n a1 | sh", Effect: "run agent a1 without fctl"},
	},
	More: "fctl COMMAND --help is the manual of a command, fsrc TYPE --help that of a source.",
}

func fctl(ctx, stop context.Context, args []string) error {
	if len(args) > 0 && flumeCommands[args[0]] != nil {
		translated, err := fromFlume(flumeCommands[args[0]], args[1:])
		if err != nil {
			return err
		}
		args = append(args[:1:1], translated...)
	}
	command, err := cli.ParseCommands(program, new(commands), args)
	if err != nil {
		return err
	}
	return command.Run(ctx, stop)
}
