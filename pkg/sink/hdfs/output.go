package hdfs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/serializer"
)

// output is a file that events go to. They are encoded into memory first, so
// that the file system is called once for each batch, and a call that does not
// come back holds nothing that belongs to others.
type output struct {
	name   name
	path   string // while it is in use
	f      file
	to     serializer.Serializer
	bound  time.Duration // of each call; 0 for none
	number int           // of batches that were delivered

	buf       []byte
	delivered int64         // bytes of the file that hold delivered batches
	pending   chan struct{} // closed when a call that was given up has ended
	settled   bool          // it is complete; its name is not final yet
}

// opened is a file, and the size that it had.
type opened struct {
	f    file
	size int64
}

func (o *output) take(made opened) { o.f, o.delivered = made.f, made.size }

// Write is what the serializer writes to.
func (o *output) Write(p []byte) (int, error) {
	o.buf = append(o.buf, p...)
	return len(p), nil
}

// errEvent is wrapped by the error for a batch that cannot be encoded: the
// file is as it was.
var errEvent = errors.New("the events cannot be written")

// deliver writes b and returns nil when it is safe. After an error that does
// not wrap errEvent nothing more may be written.
func (o *output) deliver(ctx context.Context, b *event.Batch) error {
	before := len(o.buf) // the file's head
	if err := o.to.Write(b); err != nil {
		o.buf = o.buf[:before]
		return fmt.Errorf("%w: %w", errEvent, err)
	}
	if err := o.to.Flush(); err != nil {
		return err
	}
	if err := o.push(ctx); err != nil {
		return err
	}
	o.number++
	return nil
}

// keep is the most memory that is held for the next batch.
const keep = 4 << 20

// push has the file system take the buffer.
func (o *output) push(ctx context.Context) error {
	buf := o.buf
	err := o.call(ctx, func(ctx context.Context) error {
		if _, err := o.f.Write(buf); err != nil {
			return err
		}
		return o.f.sync(ctx)
	})
	if err != nil {
		o.buf = nil // the call may still have it
		return err
	}
	o.delivered += int64(len(o.buf))
	if o.buf = o.buf[:0]; cap(o.buf) > keep {
		o.buf = nil
	}
	return nil
}

// call calls do and waits for it, but not for longer than bound.
func (o *output) call(ctx context.Context, do func(context.Context) error) error {
	ended := make(chan struct{})
	err := within(ctx, o.bound, o.path, ended, do)
	select {
	case <-ended:
	default:
		o.pending = ended
	}
	return err
}

// within calls do in a goroutine of its own, since a file system may forget to
// come back, and waits for it, for ctx and for bound. It closes ended when do
// has ended.
func within(ctx context.Context, bound time.Duration, path string, ended chan struct{}, do func(context.Context) error) error {
	if bound > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, bound, fmt.Errorf("callable timed out after %d ms on file: %s", bound.Milliseconds(), path))
		defer cancel()
	}
	result := make(chan error, 1)
	go func() {
		defer close(ended)
		result <- do(ctx)
	}()
	select {
	case err := <-result:
		<-ended
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// busy reports whether a call that was given up has not ended yet.
func (o *output) busy() bool {
	if o.pending == nil {
		return false
	}
	select {
	case <-o.pending:
		o.pending = nil
		return false
	default:
		return true
	}
}

// complete writes what ends the file and closes it. It can be tried again.
func (o *output) complete(ctx context.Context) error {
	if o.to != nil {
		if err := o.to.Close(); err != nil {
			return err
		}
		o.to = nil
	}
	if o.busy() {
		return errors.New("a call that timed out has not ended yet")
	}
	return o.call(ctx, func(ctx context.Context) error {
		if len(o.buf) > 0 {
			if _, err := o.f.Write(o.buf); err != nil {
				return err
			}
			o.delivered += int64(len(o.buf))
			o.buf = nil
		}
		return o.f.close(ctx)
	})
}

// abandon has the file given up, once no call is using it.
func (o *output) abandon() {
	if !o.busy() {
		o.f.abandon(o.delivered)
	}
}
