package stream

import (
	"context"
	"time"
)

// lingerTime is enough for a writer to end its stream, and short for one who
// waits for a reader to stop.
const lingerTime = time.Second

// Linger returns a context that is done a moment after stop. A reader of
// standard input stops with that: Ctrl-C reaches every process of a pipeline at
// once, and the writer's events that are under way are to be committed, and its
// end to be read, before the reader leaves. Cancel gives the context's
// resources back.
func Linger(stop context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancel(context.WithoutCancel(stop))
	unwatch := context.AfterFunc(stop, func() {
		timer := time.AfterFunc(lingerTime, end)
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	return ctx, func() {
		unwatch()
		end()
	}
}
