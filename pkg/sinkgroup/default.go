// The default processor is for one sink, which then works as it does by itself.
//
//	fsink default --sinks k1 --sinks.k1.type logger
//
// There is no need for it but in Flume's files, where a group without
// processor.type has it.

package sinkgroup

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed default.go
var defaultText string

// DefaultSpec is the default processor's line in the catalogue.
var DefaultSpec = sink.Spec{
	Name:    "default",
	Class:   "org.apache.flume.sink.DefaultSinkProcessor",
	Summary: "A group of one sink.",
	Manual:  component.Manual(defaultText),
	New:     func() sink.Options { return new(Default) },
}

// Default is the properties of a group of one sink.
type Default struct {
	Members `embed:""`
}

// Validate checks what the values alone can tell.
func (d *Default) Validate() error {
	if len(d.Names) != 1 {
		return fault.Hint(fmt.Errorf("sinks has %d names; the default processor is for one sink", len(d.Names)),
			"use failover or load_balance for more")
	}
	return d.check()
}

// Open implements sink.Options.
func (d *Default) Open(ctx context.Context) (sink.Sink, error) {
	only := d.sinks[0]
	return only.options.Open(only.context(ctx))
}
