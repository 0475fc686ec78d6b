package channel

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flumekit/flumekit/pkg/stream"
)

// SpillConfig says how a Spill is opened.
type SpillConfig struct {
	// Memory is the queue in memory. Its KeepAlive is how long a put waits for
	// room there before it goes to disk.
	Memory     Config
	OpenMemory OpenStore
	// Disk is the queue that a full memory spills to. Its KeepAlive is how
	// long an impatient put then waits for room there. A capacity of 0 events
	// says that nothing is to spill: what lies there is taken first, and
	// nothing is added.
	Disk     Config
	OpenDisk OpenStore
}

// Spill is the Channel that holds events in memory and, when there is no room,
// on disk.
//
// All that is in memory was put before all that is on disk: once a put has gone
// to disk, all go there, until the disk queue is empty. So takers have what is in
// memory first. Only what the last process left on disk is older than what is in
// memory, and then puts go to disk from the start.
//
// Flume: it keeps in memory in which runs puts have gone to memory and to disk, and
// goes back to memory while the disk still holds events. Here the order outlives a
// crash, at the price of a disk that is drained before memory is used again.
type Spill struct {
	*monitor
	mem, disk *Queue
	overflow  bool // puts may go to disk
	ended     chan struct{}
	failed    chan struct{}
	work      sync.WaitGroup

	// under mu:
	closed           bool
	spilling         bool       // puts go to disk
	waiting          spillQueue // puts that were handed to neither queue
	inMemory, onDisk int        // puts that were handed over and are not done
	again            *time.Timer
}

// OpenSpill opens both queues. What conf holds belongs to the Spill, also after an
// error. A logger comes with ctx; all else of ctx ends with OpenSpill.
func OpenSpill(ctx context.Context, conf SpillConfig) (*Spill, error) {
	s := &Spill{
		monitor:  newMonitor(),
		overflow: conf.Disk.Limits.Events > 0,
		ended:    make(chan struct{}),
		failed:   make(chan struct{}),
	}
	var err error
	if s.disk, err = openQueue(ctx, conf.OpenDisk, conf.Disk, s.monitor); err != nil {
		return nil, err
	}
	if s.mem, err = openQueue(ctx, conf.OpenMemory, conf.Memory, s.monitor); err != nil {
		return nil, errors.Join(err, s.disk.Close())
	}
	s.spilling = s.overflow && s.disk.Len() > 0
	s.mu.Lock()
	s.eased = s.admit
	s.mu.Unlock()
	s.work.Go(s.watch)
	return s, nil
}

// Bounds implements Channel. Each batch fits into either queue's transactions.
func (s *Spill) Bounds() stream.Bounds {
	b := s.mem.Bounds()
	if s.overflow {
		b.MaxEvents = min(b.MaxEvents, s.disk.Bounds().MaxEvents)
		b.MaxBytes = min(b.MaxBytes, s.disk.Bounds().MaxBytes)
	}
	return b
}

// Len implements Channel.
func (s *Spill) Len() int { return s.mem.Len() + s.disk.Len() }

// Bytes returns the bytes held in memory, as its Limits.Weigh counts them.
func (s *Spill) Bytes() int64 { return s.mem.Bytes() }

// Failed implements Channel: it is closed when either queue has failed.
func (s *Spill) Failed() <-chan struct{} { return s.failed }

// Err implements Channel.
func (s *Spill) Err() error { return errors.Join(s.mem.Err(), s.disk.Err()) }

// watch refuses all that waits when a queue fails.
func (s *Spill) watch() {
	select {
	case <-s.mem.Failed():
	case <-s.disk.Failed():
	case <-s.ended:
		return
	}
	s.mu.Lock()
	refused := s.waiting.takeOf(nil)
	s.mu.Unlock()
	close(s.failed)
	for _, q := range refused {
		q.done(s.Err())
	}
}

// Close implements Channel. What is in memory is gone then.
func (s *Spill) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	refused := s.waiting.takeOf(nil)
	if s.again != nil {
		s.again.Stop()
	}
	s.mu.Unlock()
	for _, q := range refused {
		q.done(ErrClosed)
	}
	err := errors.Join(s.mem.Close(), s.disk.Close())
	close(s.ended)
	s.work.Wait()
	return err
}

// Drain implements Drainer.
func (s *Spill) Drain(ctx context.Context) bool {
	return s.drain(ctx, s, func() bool { return len(s.mem.takers) > 0 })
}

// Fleeting implements Fleeting.
func (s *Spill) Fleeting() int { return s.mem.Len() }

// Fleeting is implemented by channels that forget only a part of what they hold.
type Fleeting interface {
	// Fleeting returns how many of the events held are lost with the process.
	Fleeting() int
}

// AtStake returns how many of the events that c holds are lost with the process.
func AtStake(c Channel, options Options) int {
	if f, ok := c.(Fleeting); ok {
		return f.Fleeting()
	}
	if options.Forgets() {
		return c.Len()
	}
	return 0
}

// usable returns why nothing can be put or taken any more. s.mu is held.
func (s *Spill) usable() error {
	if s.closed {
		return ErrClosed
	}
	if err := s.mem.usable(); err != nil {
		return err
	}
	return s.disk.usable()
}

// idle reports whether nothing is held or on its way in. s.mu is held.
func (s *Spill) idle() bool {
	return s.waiting.len() == 0 && s.mem.idle() && s.disk.idle()
}
