// Package exec is the exec source: it runs a command and takes each line of
// what that writes to its standard output as an event.
//
// A line ends with \n, \r or \r\n; a last line without an end is an event too.
// The body is the line as the command wrote it.
//
// Without a shell, the command is split at blanks and run as it is: quotes,
// pipes, wild cards and variables mean nothing. For those, set a shell:
//
//	fsrc exec 'tail -F /var/log/syslog' | fsink logger
//	fsrc exec --shell '/bin/sh -c' 'tail -F /var/log/*.log | grep -v DEBUG' | fsink logger
//
// Lines are committed when there are batchSize of them, or batchTimeout after
// the commit before. While a channel is full the command is not read from, and
// waits. When the command ends, and restart is not set, the source ends; it
// fails if the command did.
//
// When the source is stopped, the command and all that it has started in its
// process group get SIGTERM, and SIGKILL after kill-grace; what they have written
// by then is committed.
//
// A command cannot be asked to say a thing again. If this process is killed, the
// output that it has read and not committed is lost, four batches and what a pipe
// holds at most, and so is what is said while the command is not running. Where
// that matters, have it write to a file, and take that: fsrc stdin < file.
package exec

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	osexec "os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
)

//go:embed exec.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "exec",
	Class:   "org.apache.flume.source.ExecSource",
	Summary: "Run a command and take the lines of its output.",
	Manual:  component.Manual(text),
	Target:  component.Single("COMMAND", "command"),
	New:     func() source.Options { return new(Options) },
}

// shellCharacters mean something to a shell and nothing without one.
const shellCharacters = "|&;<>()$`\\\"'*?[]{}~"

// Options are the properties of an exec source.
type Options struct {
	Command         string         `name:"command" required:"" placeholder:"COMMAND" help:"Command to run."`
	Shell           string         `name:"shell" placeholder:"SHELL" help:"Shell to run the command with, such as \"/bin/sh -c\"; none splits the command at blanks."`
	Restart         option.Bool    `name:"restart" default:"false" help:"Run the command again when it ends."`
	RestartThrottle option.Millis  `name:"restartThrottle" default:"10000" placeholder:"MILLIS" help:"Time between an end of the command and the next start."`
	LogStdErr       option.Bool    `name:"logStdErr" default:"false" help:"Log the lines that the command writes to its standard error."`
	BatchSize       option.Int     `name:"batchSize" default:"20" placeholder:"EVENTS" help:"Most lines to commit at once."`
	BatchTimeout    option.Millis  `name:"batchTimeout" default:"3000" placeholder:"MILLIS" help:"Time after a commit at which lines go that are fewer than batchSize; 0 lets them go at once."`
	Charset         option.Charset `name:"charset" default:"UTF-8" placeholder:"CHARSET" help:"Character set of the output and of the bodies; it matters where line ends are not single bytes."`
	MaxLineLength   option.Bytes   `name:"max-line-length" default:"1MiB" placeholder:"BYTES" help:"Longest body; longer lines become several events."`
	KillGrace       option.Millis  `name:"kill-grace" default:"3000" placeholder:"MILLIS" help:"Time that the command has to end after SIGTERM, before SIGKILL."`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case strings.TrimSpace(o.Command) == "":
		return errors.New("command is blank; it must name a program")
	case o.RestartThrottle < 0:
		return fmt.Errorf("restartThrottle is %v; it must be 0 or more", o.RestartThrottle)
	case o.BatchSize < 1:
		return fmt.Errorf("batchSize is %d; it must be 1 or more", o.BatchSize)
	case o.BatchTimeout < 0:
		return fmt.Errorf("batchTimeout is %v; it must be 0 or more", o.BatchTimeout)
	case o.MaxLineLength < 1 || o.MaxLineLength > event.MaxSize/4:
		return fmt.Errorf("max-line-length is %v; it must be from 1 to %v", o.MaxLineLength, option.Bytes(event.MaxSize/4))
	case o.KillGrace < 0:
		return fmt.Errorf("kill-grace is %v; it must be 0 or more", o.KillGrace)
	}
	return nil
}

// End implements source.Ender: the command's end is the end.
func (o *Options) End() { o.Restart = false }

// Open implements source.Options: it looks for the program.
//
// Flume: a blank before the command makes it one that cannot be started; here
// it is ignored.
func (o *Options) Open(ctx context.Context) (source.Source, error) {
	property, args := "command", strings.Fields(o.Command)
	if shell := strings.Fields(o.Shell); len(shell) > 0 {
		property, args = "shell", append(shell, o.Command)
	}
	if _, err := osexec.LookPath(args[0]); err != nil {
		var cause *osexec.Error
		if errors.As(err, &cause) {
			err = cause.Err
		}
		err = fmt.Errorf("looking for the program of %s, %q: %w", property, args[0], err)
		err = fault.Hint(err, "give its whole path, or see that it is on PATH and may be executed")
		return nil, fault.WithStatus(err, fault.Config)
	}
	if property == "command" && strings.ContainsAny(o.Command, shellCharacters) {
		zerolog.Ctx(ctx).Warn().Str("command", o.Command).Str("hint", "--shell '/bin/sh -c'").
			Msg("the command has characters for a shell, and is run without one")
	}
	return &command{opt: o, args: args}, nil
}

// command is an open exec source.
type command struct {
	opt  *Options
	args []string
}

// Run implements source.Source.
//
// Flume: a full channel kills the command and loses the lines in hand; here the
// command waits.
//
// Flume: stopping loses the lines in hand; here they are committed.
//
// Flume: after the command's end the source idles; here it ends, so that a
// pipeline does, and fails if the command did.
func (c *command) Run(ctx context.Context, put source.Put) error {
	log := zerolog.Ctx(ctx)
	log.Warn().Msg("a command cannot repeat its output: what is read and not committed when this process is killed is lost")
	for {
		end, err := c.once(ctx, put)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		case !bool(c.opt.Restart):
			return end.failure(c.opt)
		}
		log.Info().Msgf("Restarting in %dms, exit code %d", c.opt.RestartThrottle.Duration().Milliseconds(), end.code)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.opt.RestartThrottle.Duration()):
		}
	}
}

// once runs the command once and commits its output. A command that cannot be
// started when it is started again has ended, with a code of its own.
func (c *command) once(ctx context.Context, put source.Put) (end, error) {
	p, err := start(ctx, c.opt, c.args)
	if err != nil {
		return end{code: -1, how: err.Error()}, nil
	}
	defer context.AfterFunc(ctx, p.terminate)()
	err = newIntake(c.opt, put).run(ctx, p.output)
	if err != nil {
		p.abandon()
	}
	return p.wait(), err
}

// end is how a command ended.
type end struct {
	code int    // as a shell has it: 128 and the signal's number if it was killed
	how  string // in words
	said string // its last line on standard error
}

// failure returns the error that a source ends with whose command ended so.
func (e end) failure(opt *Options) error {
	if e.code == 0 {
		return nil
	}
	err := fmt.Errorf("command %q ended: %s", opt.Command, e.how)
	if e.said != "" {
		err = fmt.Errorf("%w: it said %q", err, e.said)
	}
	if e.code == 127 && opt.Shell != "" {
		return fault.Hint(err, "the shell did not find a program: give its whole path")
	}
	return fault.Hint(err, "--restart true runs it again when it ends; --logStdErr true shows what it says")
}

// code returns a finished process's exit code as a shell has it.
func code(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
