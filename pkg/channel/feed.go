package channel

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// Feed puts what from brings into c, answers each batch when it is
// committed or refused, and returns the number of events committed. It returns
// nil at the clean end of the stream, once all of it is answered. When ctx is
// done, or the stream breaks off, batches that still wait for room are given up
// without an answer; their writer will bring them again. A batch that is refused
// where nobody hears of it ends the feeding, with the reason.
func Feed(ctx context.Context, c Channel, from *stream.Reader) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := c.Putter()
	defer p.Close()
	defer context.AfterFunc(ctx, p.Close)()
	f := &feeding{most: c.Bounds().MaxEvents, unheard: cancel}
	for {
		d, err := from.Next(ctx)
		if err != nil {
			if err != io.EOF {
				p.Close()
			}
			f.under.Wait()
			var refused *stream.Refused
			switch {
			case errors.As(context.Cause(ctx), &refused):
				err = refused
			case err == io.EOF && f.givenUp.Load():
				err = ErrClosed
			case err == io.EOF:
				err = nil
			}
			return f.committed.Load(), err
		}
		f.put(p, d)
	}
}

type feeding struct {
	most      int            // events in one batch
	under     sync.WaitGroup // batches that are not answered
	committed atomic.Int64   // events
	givenUp   atomic.Bool    // something was not answered
	unheard   context.CancelCauseFunc
}

// put puts d, in parts if its writer does not know the channel's bounds.
func (f *feeding) put(p Putter, d *stream.Delivery) {
	parts := []*event.Batch{d.Batch}
	if d.Wait {
		parts = cut(d.Batch, f.most)
	}
	f.under.Add(1)
	a := &answer{f: f, d: d}
	a.left.Store(int32(len(parts)))
	for _, part := range parts {
		n := part.Len()
		p.Put(part, d.Wait, func(err error) { a.part(n, err) })
	}
}

// answer is that to one batch, once all its parts are done.
type answer struct {
	f    *feeding
	d    *stream.Delivery
	left atomic.Int32
	err  atomic.Pointer[error]
}

func (a *answer) part(events int, err error) {
	if err != nil {
		a.err.Store(&err)
	} else {
		a.f.committed.Add(int64(events))
	}
	if a.left.Add(-1) > 0 {
		return
	}
	defer a.f.under.Done()
	failed := a.err.Load()
	switch {
	case failed == nil:
		a.d.Commit()
	case errors.Is(*failed, ErrClosed):
		a.f.givenUp.Store(true)
	default:
		why := &stream.Refused{Code: code(*failed), Text: (*failed).Error()}
		if !a.d.Refuse(why.Code, why.Text) {
			a.f.unheard(why)
		}
	}
}

func code(err error) stream.Code {
	switch {
	case errors.Is(err, ErrFull):
		return stream.Full
	case errors.Is(err, ErrTooLarge):
		return stream.TooLarge
	}
	return stream.Failed
}
