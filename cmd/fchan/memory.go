package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
)

// What a channel that is kept up with has in use is next to nothing, and what it
// throws away is much: the garbage collector would run at every few batches. So
// garbage may be gcPercent of what is in use, as long as all of it is within
// memoryLimit and what the events that are held need.
const (
	gcPercent   = 400
	memoryLimit = 64 << 20
	// perHeld is the memory for a byte held in memory, with room for the
	// collector.
	perHeld = 2
)

// tuneMemory sets the garbage collector to the channel's size until ctx is done,
// unless the environment has set it.
func tuneMemory(ctx context.Context, options channel.Options, access *channel.Access) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(memoryLimit)
	c, ok := access.Channel().(interface{ Bytes() int64 })
	if !options.Forgets() || !ok {
		return
	}
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				debug.SetMemoryLimit(memoryLimit + perHeld*c.Bytes())
			case <-ctx.Done():
				return
			}
		}
	}()
}
