package channel

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/flumekit/flumekit/pkg/stream"
)

// refusalPause is how long a reader that refused a batch for now is left alone.
const refusalPause = 100 * time.Millisecond

// Distant is implemented by takers whose Commit takes a round trip: many of their
// batches are committed at the same time.
type Distant interface {
	Taker
	// MostCommits is how many may be under way.
	MostCommits() int
}

// Deliver takes batches and sends them to a reader, commits each when the
// reader has, and returns the number of events that were committed. It returns
// nil when Take says io.EOF, the cause when ctx is done, and the writer's error
// if that ends first; in any case once all that was sent is answered.
func Deliver(ctx context.Context, from Taker, to *stream.Writer) (int64, error) {
	var committed atomic.Int64
	ctx, cancel := withWriter(ctx, to)
	defer cancel(nil)
	w := newWindow(to)
	commits := newCommits(from)
	for {
		take, err := from.Take(ctx)
		if err != nil {
			w.close()
			commits.wait()
			switch {
			case err == io.EOF:
				err = nil
			case ctx.Err() != nil:
				err = context.Cause(ctx)
			}
			return committed.Load(), err
		}
		batch := take.Batch()
		events := int64(batch.Len())
		w.send(batch, true, func(err error) {
			if err == nil {
				commits.run(func() {
					if err := take.Commit(); err != nil {
						cancel(err)
						take.Return()
						return
					}
					committed.Add(events)
				})
				return
			}
			var refused *stream.Refused
			if errors.As(err, &refused) && refused.Temporary() {
				select {
				case <-time.After(refusalPause):
				case <-ctx.Done():
				}
			} else {
				cancel(err)
			}
			take.Return()
		})
	}
}

// commits runs commits: one after the other, or many at the same time.
type commits struct {
	slots chan struct{} // nil: one after the other
}

func newCommits(of Taker) *commits {
	if far, ok := of.(Distant); ok {
		return &commits{make(chan struct{}, far.MostCommits())}
	}
	return &commits{}
}

func (c *commits) run(commit func()) {
	if c.slots == nil {
		commit()
		return
	}
	c.slots <- struct{}{}
	go func() {
		defer func() { <-c.slots }()
		commit()
	}()
}

// wait returns when all commits have ended. No more may be run.
func (c *commits) wait() {
	for range cap(c.slots) {
		c.slots <- struct{}{}
	}
}

// Relay passes batches from a writer on to a channel's process, or from there
// on to a reader, with the answers the other way round. It returns the number
// of events that were committed: with nil at the clean end of from, once all of
// it is answered, the cause when ctx is done, and to's error if that ends first.
func Relay(ctx context.Context, from *stream.Reader, to *stream.Writer) (relayed int64, err error) {
	ctx, cancel := withWriter(ctx, to)
	defer cancel(nil)
	w := newWindow(to)
	for {
		d, err := from.Next(ctx)
		if err != nil {
			w.close()
			switch {
			case ctx.Err() != nil:
				err = context.Cause(ctx)
			case err == io.EOF:
				err = to.Err()
			}
			return relayed, err
		}
		events := int64(d.Batch.Len())
		w.send(d.Batch, d.Wait, func(err error) {
			var refused *stream.Refused
			switch {
			case err == nil:
				relayed += events
				d.Commit()
				d.Recycle()
			case errors.As(err, &refused):
				if !d.Refuse(refused.Code, refused.Text) {
					cancel(refused)
				}
			}
		})
	}
}
