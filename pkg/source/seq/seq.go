// Package seq is the sequence generator source: its events are the numbers 0,
// 1, 2 and so on, to try a topology with.
//
// The event's body is the number in decimal. The source ends after totalEvents;
// after a restart it begins at 0 again.
//
//	fsrc seq --totalEvents 1000000 --batchSize 1000 | fsink null
package seq

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
)

//go:embed seq.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "seq",
	Class:   "org.apache.flume.source.SequenceGeneratorSource",
	Summary: "Generate the numbers from 0 on, for tests.",
	Manual:  component.Manual(text),
	New:     func() source.Options { return new(Options) },
}

// Options are the properties of a seq source.
type Options struct {
	BatchSize   option.Int   `name:"batchSize" default:"1" placeholder:"EVENTS" help:"Events to commit at once."`
	TotalEvents option.Int64 `name:"totalEvents" default:"9223372036854775807" placeholder:"EVENTS" help:"Events to generate."`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case o.BatchSize < 1:
		return fmt.Errorf("batchSize is %d; it must be 1 or more", o.BatchSize)
	case o.TotalEvents < 0:
		return fmt.Errorf("totalEvents is %d; it must be 0 or more", o.TotalEvents)
	}
	return nil
}

// End implements source.Ender: totalEvents is the end.
func (o *Options) End() {}

// Open implements source.Options.
func (o *Options) Open(context.Context) (source.Source, error) {
	return &sequence{opt: o}, nil
}

// sequence is an open seq source.
type sequence struct {
	opt *Options
}

// Run implements source.Source.
//
// Flume: a full channel is tried again without a pause; here Commit waits.
//
// Flume: after totalEvents the source idles; here it ends, so that a pipeline
// does.
func (s *sequence) Run(ctx context.Context, put source.Put) error {
	var batch event.Batch
	var body []byte
	for next := int64(0); next < int64(s.opt.TotalEvents) && ctx.Err() == nil; {
		batch.Reset()
		for ; batch.Len() < int(s.opt.BatchSize) && next < int64(s.opt.TotalEvents); next++ {
			body = strconv.AppendInt(body[:0], next, 10)
			batch.Append(event.Event{Body: body})
		}
		if err := put.Commit(&batch); err != nil {
			return err
		}
	}
	return nil
}
