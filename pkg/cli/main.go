package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Run is what a command does. Stop is done when it is asked to stop: it ends
// its intake, delivers what is in hand and returns. Ctx is done when it must
// end at once; stop is derived from it.
type Run func(ctx, stop context.Context, args []string) error

// lastWords is how long a command may go on once it must end at once.
const lastWords = time.Second

// Main runs a command and returns its exit status. Args are the command line
// without the command's name.
//
// The first SIGINT, SIGTERM or SIGHUP asks run to stop, the second makes it
// end at once: Main then returns without it if need be. A signal that is
// ignored from the start (nohup, a shell's background job) stays so. Writing
// to a pipe that nobody reads is an error that the writer gets.
//
// An error is printed to standard error, each of its lines after the command's
// name, and gives the status by fault.Status; an Answer goes to standard
// output. A panic of run's goroutine becomes an error too; with
// FLUMEKIT_DEBUG=1 in the environment its stack is printed.
func Main(name string, args []string, run Run) int {
	// Ignored signals are inherited by child processes; one that is only
	// notified of is not.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	defer signal.Stop(signals)
	return supervise(name, args, run, signals, os.Stdout, os.Stderr)
}

// supervise is Main with the world as arguments.
func supervise(name string, args []string, run Run, signals <-chan os.Signal, stdout, stderr io.Writer) int {
	var rep reporter
	ctx, end := context.WithCancel(context.WithValue(context.Background(), reporterKey{}, &rep))
	defer end()
	stop, ask := context.WithCancel(ctx)
	defer ask()

	done := make(chan error, 1)
	go func() { done <- guard(ctx, stop, args, run, stderr) }()
	asked := false
	var err error
	for running := true; running; {
		select {
		case err = <-done:
			running = false
		case s := <-signals:
			if !asked {
				asked = true
				ask()
				continue
			}
			end()
			select {
			case err = <-done:
			case <-time.After(lastWords):
				err = fmt.Errorf("ended at once by a second signal (%v)", s)
			}
			running = false
		}
	}

	var answer Answer
	if errors.As(err, &answer) {
		if _, err = io.WriteString(stdout, string(answer)); err != nil {
			err = fmt.Errorf("writing to standard output: %w", err)
		}
	}
	rep.report(name, err, stderr)
	return fault.Status(err)
}

// guard calls run and makes its panic an error.
func guard(ctx, stop context.Context, args []string, run Run, stderr io.Writer) (err error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if os.Getenv("FLUMEKIT_DEBUG") == "1" {
			fmt.Fprintf(stderr, "%s\n", debug.Stack())
		}
		err = fault.Hint(fmt.Errorf("internal error: %v", cause),
			"this is a defect: report it with the stack that FLUMEKIT_DEBUG=1 in the environment prints")
	}()
	return run(ctx, stop, args)
}

// reporter prints the error that a command ends with: for people, unless a
// log format for programs was asked for.
type reporter struct {
	log atomic.Pointer[zerolog.Logger]
}

type reporterKey struct{}

// reportTo makes the reporter of ctx use the log if its format was asked for.
func reportTo(ctx context.Context, l Logging, log zerolog.Logger) {
	if rep, ok := ctx.Value(reporterKey{}).(*reporter); ok && (l.Format == "json" || l.Format == "flume") {
		rep.log.Store(&log)
	}
}

// report prints err, which may be nil.
func (r *reporter) report(name string, err error, stderr io.Writer) {
	log := r.log.Load()
	if log == nil {
		for _, line := range fault.Lines(err) {
			fmt.Fprintf(stderr, "%s: %s\n", name, line)
		}
		return
	}
	var line *zerolog.Event
	text := ""
	send := func() {
		if line != nil {
			line.Msg(text)
		}
	}
	for _, detail := range fault.Lines(err) {
		kind, rest, _ := strings.Cut(detail, ": ")
		switch {
		case kind == "error":
			send()
			line, text = log.Error().Str("logger", name), rest
		case line != nil:
			line = line.Str(kind, rest)
		}
	}
	send()
}
