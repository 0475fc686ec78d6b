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

// Drain implements Drainer.
func (c *Queue) Drain(ctx context.Context) bool {
	wake := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	}
	defer context.AfterFunc(ctx, wake)()
	c.mu.Lock()
	defer c.mu.Unlock()
	var alone time.Time // since when there has been no taker
	for !c.idle() {
		if ctx.Err() != nil || c.usable() != nil {
			return false
		}
		switch {
		case c.takers > 0:
			alone = time.Time{}
		case alone.IsZero():
			alone = time.Now()
			timer := time.AfterFunc(takerPatience, wake)
			defer timer.Stop()
		case time.Since(alone) >= takerPatience:
			return false
		}
		c.changed.Wait()
	}
	return true
}
