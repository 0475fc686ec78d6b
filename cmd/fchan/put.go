// Put puts the events of standard input into a channel, and ends when all of
// them are committed:
//
//	fsrc stdin < /in/today.log | fchan put /var/spool/c1
//	7 * * * *  journal-export | fchan put unix:/run/c1.sock
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. No channel needs to run in a directory: if no other process has it,
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

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed put.go
var putSource string

// putCatalog has the one command, as if it were a channel: its options are those
// with which a file channel is opened.
var putCatalog = component.Catalog[*file.Options]{{
	Name:    "put",
	Summary: "Put standard input into a channel.",
	Manual:  component.Manual(putSource),
	Target:  component.Single("ADDR", "dir"),
	New:     func() *file.Options { return new(file.Options) },
}}

func runPut(ctx, stop context.Context, args []string) error {
	cmd, err := cli.Parse(program, putCatalog, args)
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

// reach returns the access to the channel at the address that stands in dir.
func reach(ctx context.Context, options *file.Options) (*channel.Access, error) {
	dir, addr, err := channel.Address(options.Dir)
	if err != nil {
		return nil, fault.WithStatus(err, fault.Usage)
	}
	if addr != "" {
		return channel.Dial(ctx, addr), nil
	}
	options.Dir = dir
	access, err := channel.Enter(ctx, options, embedded.Open)
	if err == nil {
		tuneMemory(ctx, options, access)
	}
	return access, err
}
