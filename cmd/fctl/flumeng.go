package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
)

const flumeUsage = `Usage: flume-ng <command> [options]...

commands:
  help                      display this help text
  agent                     run a Flume agent
  avro-client               run an avro Flume client
  version                   show Flume version info

global options:
  --conf,-c <conf>          use configs in <conf> directory
  -Dproperty=value          accepted, and has no effect: there is no Java
  -Xproperty=value          accepted, and has no effect: there is no Java

agent options:
  --name,-n <name>          the name of this agent (required)
  --conf-file,-f <file>     specify a config file (required)
  --no-reload-conf          do not reload config file if changed
  --grace <duration>        how long the last events may take at the end
  --help,-h                 display help text

avro-client options:
  --rpcProps,-P <file>      RPC client properties file with server connection params
  --host,-H <host>          hostname to which events will be sent
  --port,-p <port>          port of the avro source
  --dirname <dir>           directory to stream to avro source
  --filename,-F <file>      text file to stream to avro source (default: std input)
  --headerFile,-R <file>    file containing event headers as key/value pairs on each new line
  --help,-h                 display help text

  Either --rpcProps or both --host and --port must be specified.

This is fctl of Flumekit under the name of flume-ng; fctl --help says more.
`

// flumeNG is fctl under the name flume-ng; args begin with one of its commands.
func flumeNG(ctx, stop context.Context, args []string) error {
	switch args[0] {
	case "help":
		return cli.Answer(flumeUsage)
	case "version":
		return cli.Answer(flumeVersion())
	case "node":
		fmt.Fprintln(os.Stderr, `Warning: The "node" command is deprecated. Please use "agent" instead.`)
		return fctl(ctx, stop, append([]string{"agent"}, args[1:]...))
	}
	return fctl(ctx, stop, args)
}

// isFlumeCommand reports whether flume-ng has the command.
func isFlumeCommand(name string) bool {
	return slices.Contains([]string{"help", "agent", "avro-client", "node", "version"}, name)
}

// refuse says that there is no such command as flume-ng would, and returns the
// exit status.
func refuse(command string) int {
	fmt.Fprintf(os.Stderr, "Error: Unknown or unspecified command '%s'\n", command)
	fmt.Printf("\n%s", flumeUsage)
	return fault.Failed
}
