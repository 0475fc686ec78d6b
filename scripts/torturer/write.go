package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// handed is a batch that is on its way.
type handed struct {
	receipt *stream.Receipt
	last    int
}

// write is a writer: it writes batches to standard output until it is told to end,
// and ends when all of them are acknowledged.
func write(ctx context.Context, l life) error {
	noted, err := openNotes(l.dir, l.name)
	if err != nil {
		return err
	}
	out, err := stream.OpenStdout(ctx, os.Stdout, stream.StdoutOptions{Name: l.name, Format: stream.Auto, Ack: stream.AckRequire})
	if err != nil {
		return err
	}
	batches := make(chan handed, 1000)
	acked := make(chan error, 1)
	go func() { acked <- acknowledge(batches, noted) }()
	bodies, source := newBodies(l.seed, false), rand.New(rand.NewPCG(l.seed, uint64(l.number)))
	for n := noted.acked + 1; out.Err() == nil; {
		if (l.finish || ctx.Err() != nil) && n > noted.sent {
			break // what was in doubt is not any more
		}
		b := new(event.Batch)
		for range 1 + source.IntN(100) {
			b.Append(origin{l.name, l.number, n}.event(bodies.body(l.name, n)))
			n++
		}
		if err := noted.note("sent", n-1); err != nil {
			return err
		}
		batches <- handed{out.Send(b, true), n - 1}
	}
	close(batches)
	return errors.Join(<-acked, out.Close(context.WithoutCancel(ctx)))
}

// acknowledge notes what is acknowledged.
func acknowledge(batches <-chan handed, noted *notes) error {
	for b := range batches {
		err := b.receipt.Wait()
		if err == nil {
			err = noted.note("acked", b.last)
		}
		if err != nil {
			for range batches { // the writer goes on until it sees that the stream has ended
			}
			return err
		}
	}
	return nil
}
