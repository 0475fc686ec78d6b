package main

import (
	"os"
	"runtime/debug"

	"github.com/flumekit/flumekit/pkg/channel"
)

// What a channel that is kept up with has in use is next to nothing, and what it
// throws away is much: the garbage collector would run at every few batches. So
// garbage may be gcPercent of what is in use, as long as all of it is within
// memoryLimit, and beyond that what a bound in bytes asks for.
const (
	gcPercent   = 400
	memoryLimit = 160 << 20
)

// tuneMemory sets the garbage collector to the channel's size, unless the
// environment has.
func tuneMemory(access *channel.Access) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := int64(memoryLimit)
	if c := access.Channel(); c != nil {
		limit += 2 * c.Limits().Bytes // the store's copy, and one on its way
	}
	debug.SetMemoryLimit(limit)
}
