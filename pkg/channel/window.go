package channel

import (
	"context"
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// window sends batches to a writer and settles each when it is answered, in
// order.
type window struct {
	to      *stream.Writer
	sent    chan sending
	settled chan struct{}
}

type sending struct {
	receipts []*stream.Receipt
	settle   func(error)
}

func newWindow(to *stream.Writer) *window {
	w := &window{to: to, sent: make(chan sending, 64), settled: make(chan struct{})}
	go func() {
		defer close(w.settled)
		for s := range w.sent {
			var failed error
			for _, receipt := range s.receipts {
				if err := receipt.Wait(); err != nil && failed == nil {
					failed = err
				}
			}
			s.settle(failed)
		}
	}()
	return w
}

// send sends b, in parts if the reader takes no more and its sender is not told
// of that, and has settle called once it is answered. It blocks while as much
// is under way as the reader allows.
func (w *window) send(b *event.Batch, wait bool, settle func(error)) {
	s := sending{settle: settle}
	most := 0
	if wait {
		most = w.to.Bounds().MaxEvents
	}
	for _, part := range cut(b, most) {
		s.receipts = append(s.receipts, w.to.Send(part, wait))
	}
	w.sent <- s
}

// close waits until all that was sent is settled.
func (w *window) close() {
	close(w.sent)
	<-w.settled
}

// withWriter returns a context that is done when w has ended, with w's error as
// the cause.
func withWriter(ctx context.Context, w *stream.Writer) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-w.Done():
			cancel(w.Err())
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// cut returns b in parts of at most most events, if that is not 0.
func cut(b *event.Batch, most int) []*event.Batch {
	if most == 0 || b.Len() <= most {
		return []*event.Batch{b}
	}
	return slices.Collect(b.Split(most))
}
