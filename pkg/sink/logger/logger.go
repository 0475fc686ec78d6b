// Package logger is the logger sink: it prints each event on standard output,
// as Flume's logger sink logs it.
//
//	$ printf 'Scala\r\n' | fsink logger
//	2019-05-30 22:50:45,479 INFO sink.LoggerSink: Event: { headers:{} body: 53 63 61 6C 61 0D                               Scala. }
//
// It is for looking at what comes, in tests and demonstrations. Only the first
// maxBytesToLog bytes of a body are shown, in hexadecimal and as ASCII, 16 to
// a row; rows after the first stand on lines of their own, after their offset.
// Headers stand in the order of a Java HashMap.
package logger

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventtext"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/lineout"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed logger.go
var source string

// Spec is this sink's line in the catalogue.
var Spec = sink.Spec{
	Name:    "logger",
	Class:   "org.apache.flume.sink.LoggerSink",
	Summary: "Print events on standard output, as Flume logs them.",
	Manual:  component.Manual(source),
	New:     func() sink.Options { return new(Options) },
}

// Options are the properties of a logger sink.
type Options struct {
	// Flume: 1.11 never reads this property and shows 16 bytes; here it does
	// what the guide says. What is not a number is an error, not 16.
	MaxBytesToLog option.Int `name:"maxBytesToLog" default:"16" help:"Most bytes of a body to show."`

	out *os.File // nil is standard output
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	if o.MaxBytesToLog < 0 {
		return fault.Hint(fmt.Errorf("maxBytesToLog is %d", o.MaxBytesToLog), "it must be 0 or more; the default is %d", eventtext.DefaultBytes)
	}
	return nil
}

// Open implements sink.Options.
func (o *Options) Open(context.Context) (sink.Sink, error) {
	return &logger{out: lineout.New(o.out), most: int(o.MaxBytesToLog)}, nil
}

type logger struct {
	out  *lineout.Writer
	most int
}

func (l *logger) Write(ctx context.Context, b *event.Batch) error {
	now := time.Now()
	lines := l.out.Buffer()
	for e := range b.All() {
		lines = eventtext.AppendLine(lines, now, e, l.most)
	}
	return l.out.Write(ctx, lines)
}

func (l *logger) Close() error { return nil }
