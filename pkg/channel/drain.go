package channel

import (
	"context"
	"time"
)

// takerPatience is how long a channel that is to be drained waits for a taker to
// come back.
const takerPatience = 2 * time.Second

// Drainer is implemented by channels that can wait until their takers have taken
// everything.
type Drainer interface {
	// Drain waits until the channel holds nothing, and reports whether it
	// has come to that. It has not if ctx is done first, the channel fails,
	// or no taker has been there for a while.
	Drain(ctx context.Context) bool
}

// Forwarder is implemented by channels that bring what they hold to another place
// themselves: takers get nothing of it, and end when all is there.
type Forwarder interface {
	// Forward waits until the channel holds nothing. It returns early, with the
	// reason, when that other place takes nothing just now.
	Forward(ctx context.Context) error
}

// Drain implements Drainer.
func (c *Queue) Drain(ctx context.Context) bool {
	return c.drain(ctx, c, func() bool { return len(c.takers) > 0 })
}

// drain waits until what is idle. served is called with m.mu held.
func (m *monitor) drain(ctx context.Context, what interface {
	idle() bool
	usable() error
}, served func() bool) bool {
	defer context.AfterFunc(ctx, m.wakeTakers)()
	m.mu.Lock()
	defer m.mu.Unlock()
	var alone time.Time // since when there has been no taker
	for !what.idle() {
		if ctx.Err() != nil || what.usable() != nil {
			return false
		}
		switch {
		case served():
			alone = time.Time{}
		case alone.IsZero():
			alone = time.Now()
			timer := time.AfterFunc(takerPatience, m.wakeTakers)
			defer timer.Stop()
		case time.Since(alone) >= takerPatience:
			return false
		}
		m.changed.Wait()
	}
	return true
}
