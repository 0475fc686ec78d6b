package channel

import (
	"context"
	"runtime"
)

// Listen serves c at the Unix socket path.
func Listen(ctx context.Context, c Channel, path, name string) (*Server, error) {
	return listen(ctx, c, about{}, path, name)
}

// Settle waits until the putters of a Spill have been told all that there is to tell.
func (s *Spill) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.inMemory+s.onDisk > 0 {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
}

// OnCrashPoint sets what is called at each point where a crash leaves something to
// be put in order.
func OnCrashPoint(f func(name string)) { crashPoint = f }

// Still calls f while nothing is done to the store: what is copied then is what a
// process that is killed at this instant leaves.
func (c *Queue) Still(f func()) {
	c.storeMu.Lock()
	defer c.storeMu.Unlock()
	f()
}

// Still is Queue.Still for what is on disk.
func (s *Spill) Still(f func()) { s.disk.Still(f) }
