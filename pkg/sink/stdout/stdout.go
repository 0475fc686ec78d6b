// Package stdout is the stdout sink: it writes events to standard output, one a
// line, for the next program of a pipeline. Flume has no such sink.
//
//	fsrc netcat :44444 | fchan file /var/spool/c1 | fsink stdout | grep ERROR
//
// The format is one of
//
//	body   the body as it is; a body that holds newlines becomes several lines
//	json   {"headers":{"host":"a"},"body":"text"}, with the body as base64 in
//	       "body64" where it is not valid UTF-8
//	text   the line that the logger sink prints
//
// An event is delivered when the kernel has taken its line: what the program
// that reads the pipe then does with it, this sink cannot know.
package stdout

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventjson"
	"github.com/flumekit/flumekit/pkg/eventtext"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/lineout"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed stdout.go
var source string

// Spec is this sink's line in the catalogue.
var Spec = sink.Spec{
	Name:    "stdout",
	Summary: "Write events to standard output, one a line.",
	Manual:  component.Manual(source),
	New:     func() sink.Options { return new(Options) },
}

// Options are the properties of a stdout sink.
type Options struct {
	Format string `name:"format" enum:"body,json,text" default:"body" help:"How an event is written: body, json or text."`

	out *os.File // nil is standard output
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	if o.appender() == nil {
		return fault.Hint(fmt.Errorf("format is %q", o.Format), "write body, json or text")
	}
	return nil
}

// Open implements sink.Options.
func (o *Options) Open(context.Context) (sink.Sink, error) {
	return &stdout{out: lineout.New(o.out), appendLine: o.appender()}, nil
}

// appender returns what appends an event's line, nil for an unknown format.
func (o *Options) appender() func(dst []byte, e event.Event) []byte {
	switch o.Format {
	case "body":
		return func(dst []byte, e event.Event) []byte {
			return append(append(dst, e.Body...), '\n')
		}
	case "json":
		return func(dst []byte, e event.Event) []byte {
			return append(eventjson.Append(dst, e), '\n')
		}
	case "text":
		return func(dst []byte, e event.Event) []byte {
			return eventtext.AppendLine(dst, time.Now(), e, eventtext.DefaultBytes)
		}
	}
	return nil
}

type stdout struct {
	out        *lineout.Writer
	appendLine func(dst []byte, e event.Event) []byte
}

func (s *stdout) Write(ctx context.Context, b *event.Batch) error {
	lines := s.out.Buffer()
	for e := range b.All() {
		lines = s.appendLine(lines, e)
	}
	return s.out.Write(ctx, lines)
}

func (s *stdout) Close() error { return nil }
