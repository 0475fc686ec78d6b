package sink

import (
	"context"

	"github.com/flumekit/flumekit/pkg/event"
)

// WriteUntilSafe is the engine's one write with its retries.
func WriteUntilSafe(ctx, now context.Context, k Sink, b *event.Batch) error {
	return (&runner{sink: k}).write(ctx, now, b)
}
