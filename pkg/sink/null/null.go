// Package null is the null sink: it takes events and throws them away.
//
//	fsrc netcat :44444 | fsink null
//
// It serves to measure what stands before it, and to drain a channel. It says
// in the log how many events it took each time that logEveryNEvents more have
// passed, but no more than once a second.
package null

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed null.go
var source string

// Spec is this sink's line in the catalogue.
var Spec = sink.Spec{
	Name:    "null",
	Class:   "org.apache.flume.sink.NullSink",
	Summary: "Throw events away.",
	Manual:  component.Manual(source),
	New:     func() sink.Options { return new(Options) },
}

// Options are the properties of a null sink.
type Options struct {
	BatchSize       option.Int `name:"batchSize" default:"100" help:"Most events to take in one transaction."`
	LogEveryNEvents option.Int `name:"logEveryNEvents" default:"10000" help:"Log how many events were taken after each so many."`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	if o.BatchSize < 1 {
		return fault.Hint(fmt.Errorf("batchSize is %d", o.BatchSize), "it must be 1 or more; the default is 100")
	}
	if o.LogEveryNEvents < 1 {
		return fault.Hint(fmt.Errorf("logEveryNEvents is %d", o.LogEveryNEvents), "it must be 1 or more; the default is 10000")
	}
	return nil
}

// MaxEvents implements sink.Batcher.
func (o *Options) MaxEvents() int { return int(o.BatchSize) }

// Open implements sink.Options.
func (o *Options) Open(ctx context.Context) (sink.Sink, error) {
	// Flume: logs each multiple of logEveryNEvents; here those that come
	// within a second of the one before are left out, because at the default
	// that would be hundreds of lines a second.
	return &null{
		log:   zerolog.Ctx(ctx).Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
		name:  component.Name(ctx),
		every: int64(o.LogEveryNEvents),
	}, nil
}

type null struct {
	log   zerolog.Logger
	name  string
	every int64
	taken int64
}

func (n *null) Write(_ context.Context, b *event.Batch) error {
	before := n.taken
	n.taken += int64(b.Len())
	if n.taken/n.every > before/n.every {
		n.log.Info().Msgf("Null sink %s successful processed %d events.", n.name, n.taken-n.taken%n.every)
	}
	return nil
}

func (n *null) Close() error { return nil }
