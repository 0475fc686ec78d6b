// Put puts the events of standard input into a channel, and ends when all of
// them are committed:
//
//	fsrc stdin < /in/today.log | fchan put /var/spool/c1
//	7 * * * *  journal-export | fchan put unix:/run/c1.sock
//
// ADDR is the directory of a file channel, the socket of a channel that listens
// (unix:PATH), a stream of a NATS cluster (nats://HOST:PORT/STREAM) or a Kafka topic
// (kafka:HOST:PORT/TOPIC). No channel needs to run in a directory: if no other process has it,
// this one opens it for as long as it needs. Then the properties of the file
// channel are its own; else those of the process that has it hold.
//
// The exit status is the receipt: 0 says that all is committed.

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed put.go
var putSource string

func runPut(ctx, stop context.Context, args []string) error {
	cmd, err := cli.Parse(program, at(args, fileCommand("put", "Put standard input into a channel.", putSource)), args)
	if err != nil {
		return err
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	access, err := reach(ctx, cmd.Options)
	if err != nil {
		return err
	}
	in := stream.OpenStdin(os.Stdin, cmd.Name, stream.Bounds{MaxEvents: cmd.Options.MaxEvents()})
	lingering, cancel := stream.Linger(stop)
	defer cancel()
	put, err := access.Put(lingering, in)
	in.Close()
	if stop.Err() != nil { // it was asked to end
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("putting events: %w", err)
	}
	component.Notice(zerolog.Ctx(ctx)).Int64("committed", put).Msg("Events")
	return errors.Join(err, access.Close())
}
