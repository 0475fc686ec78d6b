// Package plugin is the sink of any type that is not built in: it runs the
// program fsink-TYPE, which it finds on PATH, and writes events to its standard
// input.
//
// The program reads one event a line, a JSON object with a newline:
//
//	{"headers":{"host":"a"},"body":"text"}
//
// A body that is not valid UTF-8 is base64, in "body64". An event then counts as
// delivered when it was written to the program, which a notice in the log says
// once. A program that is a command of ours, or ends in one, acknowledges each
// event, and that counts.
//
//	#!/bin/sh
//	# fsink-upload, for: fsrc stdin | fsink upload
//	exec curl --silent --fail --upload-file - https://example.org/events
//
// Properties other than those below are the program's own. It is called as
//
//	fsink-TYPE [--properties /dev/fd/3] [TARGET]
//
// and finds them in that file, a line KEY=VALUE each with comments between,
// as --properties FILE of our own commands reads them. It can be read once. No
// property stands in a command line or in the environment. Standard output and
// standard error are those of fsink.
//
// At the end of the events, or when the sink is stopped, the program's input
// ends, and its end is waited for; the sink fails if the program did. A program
// that ends before that has the sink give up: the events that it did not
// acknowledge stay where they were.
//
// Flume loads a class with the type's name instead.
package plugin

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/plugin"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed plugin.go
var text string

// Find returns the sink that the program fsink-TYPE on PATH is. It reports
// false if there is none.
func Find(typ string) (sink.Spec, bool) {
	program, ok := plugin.Find("fsink", typ)
	return sink.Spec{
		Name:    typ,
		Summary: "Write events to the plug-in " + program.Name + ".",
		Manual:  component.Manual(text),
		Target:  component.Single("TARGET", "plugin-target"),
		New:     func() sink.Options { return &Options{program: program} },
	}, ok
}

// Options are the properties of a plug-in.
type Options struct {
	Target     string            `name:"plugin-target" placeholder:"TARGET" help:"Last word of the program's command line."`
	Properties map[string]string `name:"<property>" help:"Whatever the program knows."`

	program plugin.Program
}

// Open implements sink.Options: it starts the program and finds out whether
// that acknowledges.
func (o *Options) Open(ctx context.Context) (sink.Sink, error) {
	output, input, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	process, err := plugin.Start(plugin.Call{
		Program:    o.program,
		Properties: o.Properties,
		Target:     o.Target,
		Stdin:      output,
		Stdout:     os.Stdout,
	})
	output.Close()
	if err != nil {
		input.Close()
		return nil, err
	}
	r := &running{program: o.program.Name, process: process}
	r.writer, err = stream.OpenStdout(ctx, input, stream.StdoutOptions{
		Name:   component.Name(ctx),
		Format: stream.Auto,
		Ack:    stream.AckAuto,
		Notice: func(string) {
			component.Notice(zerolog.Ctx(ctx)).Msgf("plug-in %s does not acknowledge: what was written to it counts as delivered", o.program.Name)
		},
	})
	if err != nil {
		input.Close()
		r.end()
		return nil, fmt.Errorf("opening the stream to plug-in %s: %w", o.program.Name, err)
	}
	return r, nil
}

// running is an open plug-in.
type running struct {
	program string
	process *plugin.Process
	writer  *stream.Writer
}

// Write implements sink.Sink. When ctx is done with a write under way, the
// stream is given up: half an event cannot be taken back.
func (r *running) Write(ctx context.Context, b *event.Batch) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	defer context.AfterFunc(ctx, func() { r.writer.Abort(ctx.Err()) })()
	err := r.writer.Send(b, true).Wait()
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case r.writer.Err() != nil:
		return fmt.Errorf("%w: plug-in %s: %w", sink.ErrGone, r.program, err)
	}
	return fmt.Errorf("plug-in %s: %w", r.program, err)
}

// Close implements sink.Sink: it ends the program's input, and waits for it.
func (r *running) Close() error {
	broken := r.writer.Err() != nil // Write has said so
	err := r.writer.Close(context.Background())
	if broken || err != nil {
		r.end()
	}
	failure := r.process.Wait()
	if broken {
		err = nil
	}
	return errors.Join(err, failure)
}

// end ends the program unless it has ended.
func (r *running) end() {
	select {
	case <-r.process.Ended():
	default:
		r.process.Terminate(r.process.Ended())
	}
}
