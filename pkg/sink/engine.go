package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

// joinBytes bounds what is joined from several batches for one Write.
const joinBytes = 1 << 20

// The pause after a failed Write grows between these, with jitter.
//
// Flume: a sink's runner sleeps five seconds after every exception; here the
// first tries come sooner, since most troubles are short.
const (
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
)

// Counts is what a run of a sink came to.
type Counts struct {
	Delivered int64 // events that are safe at the destination
	Failures  int64 // writes that failed and were tried again
}

// Run delivers what in reads to k, until in ends or ctx is done, and closes
// both. A batch is acknowledged when every event of it is safe; a failed write
// is tried again for as long as it takes. When ctx is done while writes fail,
// or now is done at any time, the batches in hand are left to their writer.
//
// maxEvents bounds the events of one write, if it is not 0, unless k is a Batcher.
func Run(ctx, now context.Context, k Sink, in *stream.Reader, maxEvents int) (Counts, error) {
	r := &runner{sink: k, in: in, maxEvents: maxEvents}
	err := r.run(ctx, now)
	in.Close()
	if closeErr := k.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("closing the sink: %w", closeErr))
	}
	return r.counts, err
}

type runner struct {
	sink      Sink
	in        *stream.Reader
	maxEvents int
	counts    Counts

	taken  []*stream.Delivery // what the present write is made of
	left   *stream.Delivery   // read, but too much for the present write
	joined event.Batch
}

func (r *runner) run(ctx, now context.Context) error {
	for {
		b, err := r.next(ctx)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, context.Canceled):
			return nil
		case err != nil:
			return fmt.Errorf("reading events: %w", err)
		}
		if err := r.deliver(ctx, now, b); err != nil {
			return err
		}
		for _, d := range r.taken {
			d.Commit()
			d.Recycle()
		}
	}
}

// next waits for a batch and joins it with those that are there already.
func (r *runner) next(ctx context.Context) (*event.Batch, error) {
	if b, ok := r.sink.(Batcher); ok {
		r.maxEvents = b.MaxEvents()
	}
	first := r.left
	r.left = nil
	if first == nil {
		var err error
		if first, err = r.in.Next(ctx); err != nil {
			return nil, err
		}
	}
	r.taken = append(r.taken[:0], first)
	events, size := first.Batch.Len(), first.Batch.Size()
	for r.fits(events, size) {
		d := r.in.Poll()
		if d == nil {
			break
		}
		events += d.Batch.Len()
		size += d.Batch.Size()
		if !r.fits(events-1, size-1) {
			r.left = d
			break
		}
		r.taken = append(r.taken, d)
	}
	if len(r.taken) == 1 {
		return first.Batch, nil
	}
	r.joined.Reset()
	for _, d := range r.taken {
		r.joined.AppendBatch(d.Batch)
	}
	return &r.joined, nil
}

// fits reports whether there is room for more beside events and size.
func (r *runner) fits(events, size int) bool {
	return size < joinBytes && (r.maxEvents == 0 || events < r.maxEvents)
}

// deliver writes b, in as many parts as the sink needs.
func (r *runner) deliver(ctx, now context.Context, b *event.Batch) error {
	most := b.Len()
	if r.maxEvents > 0 {
		most = min(most, r.maxEvents)
	}
	for part := range b.Split(most) {
		if err := r.write(ctx, now, part); err != nil {
			return err
		}
		r.counts.Delivered += int64(part.Len())
	}
	return nil
}

// write writes b until that succeeds, or there is a reason to give up.
func (r *runner) write(ctx, now context.Context, b *event.Batch) error {
	var said string
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := r.sink.Write(now, b)
		if err == nil {
			if said != "" {
				zerolog.Ctx(ctx).Info().Msg("Events are delivered again")
			}
			return nil
		}
		r.counts.Failures++
		if errors.Is(err, ErrGone) {
			return fault.WithStatus(fmt.Errorf("%s not delivered: %w", counted(b.Len()), err), fault.TryAgain)
		}
		if ctx.Err() != nil || now.Err() != nil {
			return fault.WithStatus(fmt.Errorf("stopped with %s not delivered: %w", counted(b.Len()), err), fault.TryAgain)
		}
		if reason := reasonOf(err); reason != said { // each once
			WithHints(zerolog.Ctx(ctx).Error().Err(err), err).Msg("Unable to deliver event. Trying again.")
			said = reason
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
		}
	}
}

// WithHints adds to a log line how to mend err.
func WithHints(line *zerolog.Event, err error) *zerolog.Event {
	for _, hint := range fault.Hints(err) {
		line = line.Str("hint", hint)
	}
	return line
}

// counted says how many events there are.
func counted(n int) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// reasonOf returns why err is, without the numbers that are other ones each
// time: of a file that is made anew, of the port at this end of a connection.
func reasonOf(err error) string { return number.ReplaceAllLiteralString(err.Error(), "0") }

var number = regexp.MustCompile(`[0-9]+`)
