package channel

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// Replay sends batches that a channel has shown to a reader and returns the number
// of events that the reader has committed, once all that was sent is answered. What
// it refuses for now is sent to it again. The channel knows nothing of it. A damaged
// batch is left out; its error is returned in the end.
func Replay(ctx context.Context, shown iter.Seq2[Shown, error], to *stream.Writer) (delivered int64, err error) {
	ctx, cancel := withWriter(ctx, to)
	defer cancel(nil)
	r := &replay{to: to}
	var damage error
	for s, err := range shown {
		switch {
		case errors.Is(err, event.ErrMalformed):
			damage = err
			continue
		case err != nil:
			return r.delivered, errors.Join(err, r.settle(ctx, 0))
		}
		for _, part := range cut(s.Batch, to.Bounds().MaxEvents) {
			r.sent = append(r.sent, replayed{part, to.Send(part, true)})
		}
		if err := r.settle(ctx, mostReplayed); err != nil {
			return r.delivered, err
		}
	}
	if err := r.settle(ctx, 0); err != nil {
		return r.delivered, err
	}
	return r.delivered, damage
}

// mostReplayed is how many batches are under way.
const mostReplayed = 64

type replay struct {
	to        *stream.Writer
	sent      []replayed // and not settled
	delivered int64
}

type replayed struct {
	batch   *event.Batch
	receipt *stream.Receipt
}

// settle waits until no more than most batches are not committed.
func (r *replay) settle(ctx context.Context, most int) error {
	for len(r.sent) > most {
		first := r.sent[0]
		select {
		case <-first.receipt.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		err := first.receipt.Wait()
		var refused *stream.Refused
		if errors.As(err, &refused) && refused.Temporary() {
			select {
			case <-time.After(refusalPause):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			r.sent[0].receipt = r.to.Send(first.batch, true)
			continue
		}
		if err != nil {
			return err
		}
		r.delivered += int64(first.batch.Len())
		r.sent[0] = replayed{}
		r.sent = r.sent[1:]
	}
	return nil
}
