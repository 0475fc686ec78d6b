package channel

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// mostFilled is how many bytes Fill has under way.
const mostFilled = 8 << 20

// Fill puts batches into the channel, in order, and returns how many events were
// committed, once all is answered. It waits for room for as long as it takes. It
// ends with the first error, of batches or of a put; what was put before stays.
// The batches belong to the channel.
func (a *Access) Fill(ctx context.Context, batches iter.Seq2[*event.Batch, error]) (int64, error) {
	ctx, cancel := a.with(ctx)
	defer cancel(nil)
	if a.channel == nil {
		n, err := a.send(ctx, batches)
		return n, because(ctx, err)
	}
	p := a.channel.Putter()
	defer p.Close()
	defer context.AfterFunc(ctx, p.Close)()
	f := &filling{most: a.channel.Bounds().MaxEvents}
	f.changed.L = &f.mu
	for b, err := range batches {
		if err == nil {
			err = f.failed()
		}
		if err != nil {
			f.under.Wait()
			return f.committed.Load(), because(ctx, err)
		}
		for _, part := range cut(b, f.most) {
			f.put(p, part)
		}
	}
	f.under.Wait()
	return f.committed.Load(), because(ctx, f.failed())
}

// filling is what is on its way into a channel of this process.
type filling struct {
	most      int
	under     sync.WaitGroup
	committed atomic.Int64 // events

	mu      sync.Mutex
	changed sync.Cond
	bytes   int
	err     error
}

func (f *filling) put(p Putter, b *event.Batch) {
	events, size := int64(b.Len()), len(b.Encoded())
	f.mu.Lock()
	for f.err == nil && f.bytes > 0 && f.bytes+size > mostFilled {
		f.changed.Wait()
	}
	f.bytes += size
	f.mu.Unlock()
	f.under.Add(1)
	p.Put(b, true, func(err error) {
		defer f.under.Done()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.bytes -= size
		f.changed.Broadcast()
		if err == nil {
			f.committed.Add(events)
		} else if f.err == nil {
			f.err = err
		}
	})
}

func (f *filling) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// send is Fill for a channel of another process.
func (a *Access) send(ctx context.Context, batches iter.Seq2[*event.Batch, error]) (sent int64, err error) {
	to, err := stream.DialPut(ctx, a.addr, a.name)
	if err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { to.Abort(context.Cause(ctx)) })()
	w := newWindow(to)
	var refused atomic.Pointer[error]
	for b, err := range batches {
		if failed := refused.Load(); err == nil && failed != nil {
			err = *failed
		}
		if err != nil {
			w.close()
			to.Abort(err)
			return sent, err
		}
		events := int64(b.Len())
		w.send(b, true, func(err error) {
			if err != nil {
				refused.CompareAndSwap(nil, &err)
				return
			}
			sent += events
		})
	}
	w.close()
	if failed := refused.Load(); failed != nil {
		to.Abort(*failed)
		return sent, *failed
	}
	return sent, to.Close(ctx)
}
