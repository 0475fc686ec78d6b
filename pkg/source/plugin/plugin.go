// Package plugin is the source of any type that is not built in: it runs the
// program fsrc-TYPE, which it finds on PATH, and takes the events that this
// writes to its standard output.
//
// The program writes one event a line: a JSON object,
//
//	{"headers":{"host":"a"},"body":"text"}
//
// or the body as it is. The first byte tells: if that is a brace, all lines
// are read as JSON, and one that is not such an object is the body of an event.
// It may also write an Avro object container file of Flume's events, or be a
// command of ours, or end in one: then each event is acknowledged to it.
//
//	#!/bin/sh
//	# fsrc-journal, for: fsrc journal | fsink logger
//	exec journalctl --follow --output=cat
//
// Properties other than those below are the program's own. It is called as
//
//	fsrc-TYPE [--properties /dev/fd/3] [TARGET]
//
// and finds them in that file, a line KEY=VALUE each with comments between,
// as --properties FILE of our own commands reads them. It can be read once. No
// property stands in a command line or in the environment. Standard input is
// empty, and standard error is that of fsrc.
//
// While a channel is full the program is not read from, and waits. When it
// ends, and all that it has written is committed, the source ends; it fails if
// the program did. When the source is stopped, the program and all that it has
// started in its process group get SIGTERM, and SIGKILL after three seconds.
//
// What a program wrote that does not wait for acknowledgements, and what was not
// committed when this process is killed, is lost.
//
// Flume loads a class with the type's name instead.
package plugin

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/plugin"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed plugin.go
var text string

// Find returns the source that the program fsrc-TYPE on PATH is. It reports
// false if there is none.
func Find(typ string) (source.Spec, bool) {
	program, ok := plugin.Find("fsrc", typ)
	return source.Spec{
		Name:    typ,
		Summary: "Take the events that the plug-in " + program.Name + " writes.",
		Manual:  component.Manual(text),
		Target:  component.Single("TARGET", "plugin-target"),
		New:     func() source.Options { return &Options{program: program} },
	}, ok
}

// Options are the properties of a plug-in.
type Options struct {
	Target     string            `name:"plugin-target" placeholder:"TARGET" help:"Last word of the program's command line."`
	Properties map[string]string `name:"<property>" help:"Whatever the program knows."`

	program plugin.Program
}

// End implements source.Ender: the program's end is the end.
func (o *Options) End() {}

// Open implements source.Options. The program was found; Run starts it.
func (o *Options) Open(ctx context.Context) (source.Source, error) {
	return &running{opt: o, name: component.Name(ctx)}, nil
}

// running is an open plug-in.
type running struct {
	opt  *Options
	name string
}

// Run implements source.Source.
func (r *running) Run(ctx context.Context, put source.Put) error {
	output, input, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer output.Close()
	process, err := plugin.Start(plugin.Call{
		Program:    r.opt.program,
		Properties: r.opt.Properties,
		Target:     r.opt.Target,
		Stdout:     input,
	})
	input.Close()
	if err != nil {
		return err
	}
	in := stream.OpenStdin(output, r.name, stream.Bounds{MaxEvents: put.MaxEvents()})
	defer in.Close()
	t := &taker{put: put, process: process, read: make(chan struct{})}
	stopping := context.AfterFunc(ctx, func() { t.end(process.Terminate) })
	readErr := t.take(in)
	stopping()
	failure := process.Wait()
	switch {
	case t.failed() != nil:
		return t.failed()
	case ctx.Err() != nil:
		return nil
	case failure != nil:
		return failure
	case readErr != nil:
		return fmt.Errorf("reading events of plug-in %s: %w", r.opt.program.Name, readErr)
	}
	return nil
}

// taker takes the events of a program.
type taker struct {
	put     source.Put
	process *plugin.Process
	answers sync.WaitGroup
	read    chan struct{} // closed when all output was read

	mu      sync.Mutex
	failure error // the first of a commit
}

// take takes what is read until its end, and waits until all of it is answered.
func (t *taker) take(in *stream.Reader) error {
	defer t.answers.Wait()
	defer close(t.read)
	for {
		// The end comes with the program's, which is asked to end.
		d, err := in.Next(context.Background())
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case t.failed() != nil:
			d.Refuse(stream.Closed, t.failed().Error())
		case d.Wait:
			commit := t.put.Begin(d.Batch)
			t.answers.Go(func() { t.answer(d, commit.Wait()) })
		default:
			// Who does not wait for room has but this one batch under way.
			t.answers.Go(func() { t.answer(d, t.put.Try(d.Batch)) })
		}
	}
}

// answer tells the program whether a batch is committed. One that could wait
// and never will be ends the source.
func (t *taker) answer(d *stream.Delivery, err error) {
	switch {
	case err == nil:
		d.Commit()
		d.Recycle()
		return
	case errors.Is(err, source.ErrStopped):
		t.fail(err, func(<-chan struct{}) { t.process.Kill() })
	case d.Wait:
		t.fail(err, t.process.Terminate)
	}
	d.Refuse(code(err), err.Error())
}

// code returns the kind of a refusal.
func code(err error) stream.Code {
	var refused *stream.Refused
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case errors.Is(err, source.ErrStopped):
		return stream.Closed
	}
	return stream.Failed
}

// fail ends the program, because what it writes cannot be committed.
func (t *taker) fail(err error, end func(read <-chan struct{})) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
		t.answers.Go(func() { t.end(end) })
	}
}

func (t *taker) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure
}

// end ends the program unless it has ended: nobody is left to write then.
func (t *taker) end(how func(read <-chan struct{})) {
	select {
	case <-t.read:
	default:
		how(t.read)
	}
}
