package source

import (
	"sync"

	"github.com/flumekit/flumekit/pkg/event"
)

// Ahead hands batches to a Put without waiting for each commit, for a source whose
// input can wait. Its methods are called by one goroutine.
type Ahead struct {
	put    Put
	sent   chan flight
	failed chan struct{}
	done   chan struct{} // closed when all that was sent is committed or has failed
	err    error         // why the first commit failed; not changed after failed or done is closed

	mu    sync.Mutex
	freed sync.Cond
	free  []*event.Batch // the last is used next: its memory is still in the CPU's cache
}

// flight is a batch on its way.
type flight struct {
	batch     *event.Batch
	commit    Commit
	committed func() error
}

// NewAhead returns an Ahead that has up to depth batches under way. It is to be
// ended with Finish.
func NewAhead(put Put, depth int) *Ahead {
	a := &Ahead{
		put:    put,
		sent:   make(chan flight, depth),
		failed: make(chan struct{}),
		done:   make(chan struct{}),
	}
	a.freed.L = &a.mu
	for range depth {
		a.free = append(a.free, new(event.Batch))
	}
	go a.settle()
	return a
}

// Next returns an empty batch, once there are fewer than depth of them with the
// caller or under way.
func (a *Ahead) Next() *event.Batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.free) == 0 {
		a.freed.Wait()
	}
	last := len(a.free) - 1
	b := a.free[last]
	a.free = a.free[:last]
	return b
}

// Send hands b over, which Next returned, and returns the next one. Committed, if
// it is not nil, is called when b and all before it are committed, by another
// goroutine; its error counts as that of the commit. After one has failed, nothing
// more is handed over: it would come out of order.
func (a *Ahead) Send(b *event.Batch, committed func() error) *event.Batch {
	select {
	case <-a.failed:
		b.Reset()
		return b
	default:
	}
	a.sent <- flight{b, a.put.Begin(b), committed}
	return a.Next()
}

// settle waits for the commits, in order.
func (a *Ahead) settle() {
	defer close(a.done)
	for f := range a.sent {
		err := f.commit.Wait()
		if a.err == nil { // what comes after a batch that failed does not count
			if err == nil && f.committed != nil {
				err = f.committed()
			}
			if err != nil {
				a.err = err
				close(a.failed)
			}
		}
		f.batch.Reset()
		a.mu.Lock()
		a.free = append(a.free, f.batch)
		a.freed.Signal()
		a.mu.Unlock()
	}
}

// Failed is closed when a commit has failed; Finish then says why.
func (a *Ahead) Failed() <-chan struct{} { return a.failed }

// Finish waits for all that is under way, and returns why the first commit that
// failed did. Nothing may be called after it.
func (a *Ahead) Finish() error {
	close(a.sent)
	<-a.done
	return a.err
}
