package stdin

import (
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/source"
)

// depth is how many batches may be under way: enough to hide the time that a
// commit takes, an fsync for instance.
const depth = 16

// flow hands batches to Put without waiting for each commit, and keeps count of
// what is committed.
type flow struct {
	put    source.Put
	mark   func(committed position) error
	sent   chan flight
	free   chan *event.Batch // committed: their memory is used again
	failed chan struct{}     // closed when a commit has failed
	done   chan struct{}     // closed when all that was sent is committed or has failed

	// Set until failed or done is closed, and not changed after.
	committed position
	err       error
}

// flight is a batch on its way.
type flight struct {
	batch  *event.Batch
	commit source.Commit
	end    position // of the batch's last event
}

// startFlow starts a flow that calls mark after each commit.
func startFlow(put source.Put, mark func(committed position) error) *flow {
	f := &flow{
		put:    put,
		mark:   mark,
		sent:   make(chan flight, depth),
		free:   make(chan *event.Batch, depth),
		failed: make(chan struct{}),
		done:   make(chan struct{}),
	}
	for range depth {
		f.free <- new(event.Batch)
	}
	go f.settle()
	return f
}

// next returns an empty batch, waiting for one while depth are under way.
func (f *flow) next() *event.Batch { return <-f.free }

// send hands b over and returns the batch to go on with. Once a commit has
// failed, nothing more is handed over: the input ends before it.
func (f *flow) send(b *event.Batch, end position) *event.Batch {
	select {
	case <-f.failed:
		b.Reset()
		return b
	default:
	}
	f.sent <- flight{b, f.put.Begin(b), end}
	return f.next()
}

// settle waits for the commits, in order.
func (f *flow) settle() {
	defer close(f.done)
	for s := range f.sent {
		err := s.commit.Wait()
		if f.err == nil { // what comes after a batch that failed does not count
			if err == nil {
				f.committed = s.end
				err = f.mark(s.end)
			}
			if err != nil {
				f.err = err
				close(f.failed)
			}
		}
		s.batch.Reset()
		f.free <- s.batch
	}
}

// finish waits for all that is under way and returns how far the commits came
// and what stopped them.
func (f *flow) finish() (position, error) {
	close(f.sent)
	<-f.done
	return f.committed, f.err
}
