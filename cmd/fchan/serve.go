package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

// serverOptions are who uses the channel. They are the process's, not the
// channel's.
type serverOptions struct {
	Listen string `name:"listen" placeholder:"ADDR" help:"Serve all who connect to ADDR (unix:PATH) to put or to take. Without it events are put from standard input, and taken to standard output."`
}

// serve runs a channel for others until it is asked to end; then it takes no
// more in, and goes on for as long as there are events and takers.
func serve(ctx, stop context.Context, cmd *cli.Command[channel.Options], addr string) error {
	path, err := stream.UnixPath(addr)
	if err != nil {
		return fault.WithStatus(fmt.Errorf("--listen: %w", err), fault.Usage)
	}
	access, err := channel.Own(stop, cmd.Options, embedded.Open, ownerPatience)
	switch {
	case err != nil && stop.Err() != nil: // it was asked to end before it began
		return nil
	case errors.Is(err, channel.ErrInUse):
		return fault.Hint(err, "end that one, or give this channel a directory of its own")
	case err != nil:
		return err
	}
	tuneMemory(ctx, cmd.Options, access)
	c := access.Channel()
	server, err := access.Listen(ctx, path)
	if err != nil {
		return errors.Join(err, access.Close())
	}
	select {
	case <-stop.Done():
		server.StopPuts()
		access.StopPuts()
		if d, ok := c.(channel.Drainer); ok {
			d.Drain(ctx)
		}
	case <-c.Failed():
		err = c.Err()
	}
	lost := channel.AtStake(c, cmd.Options)
	server.Close()
	if err := errors.Join(err, access.Close()); err != nil {
		return fmt.Errorf("running the channel: %w", err)
	}
	if lost > 0 {
		return fmt.Errorf("no taker took the last %d events; they are lost", lost)
	}
	return nil
}

// ownerPatience is how long another process may still have the directory: one
// whose parent was killed has not noticed yet.
const ownerPatience = 2 * time.Second
