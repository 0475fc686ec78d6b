package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// line is a pipeline of commands that is started again whenever it ends.
type line struct {
	name     string
	commands func(life int, finish bool) [][]string // of one life
	// endless says that the rest of the line need not end when a part of it was
	// killed: it goes on for others.
	endless bool
	writes  bool // the first of the commands is a writer
	log     func(stage int) string

	mu       sync.Mutex
	procs    []*exec.Cmd
	ended    []bool
	lives    int
	killed   bool // any of the processes, in this life
	stopping bool
	problems []string

	done chan struct{} // closed when the line has ended for good
}

// patience is how long the rest of a line may take to end when one of it has.
const patience = 30 * time.Second

// begin starts the line, and starts it again and again until it is stopped or ctx is
// done; then done is closed.
func (l *line) begin(ctx context.Context) {
	l.done, l.stopping = make(chan struct{}), false
	go l.run(ctx)
}

func (l *line) run(ctx context.Context) {
	defer close(l.done)
	for {
		err := l.live(ctx)
		l.mu.Lock()
		stopping, killed := l.stopping, l.killed
		l.mu.Unlock()
		if stopping && (err == nil || !l.writes) || ctx.Err() != nil {
			return
		}
		if err != nil && !killed {
			if !stopping {
				l.problem("%s ended by itself in its life %d: %v", l.name, l.lives, err)
			}
			wait(ctx, time.Second)
		}
	}
}

func (l *line) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// live is one life of the line.
func (l *line) live(ctx context.Context) error {
	if err := l.start(ctx); err != nil {
		return err
	}
	over := make(chan error, len(l.procs))
	for stage, cmd := range l.procs {
		go func() {
			err := cmd.Wait()
			if err != nil {
				err = fmt.Errorf("%s: %w", strings.Join(cmd.Args[:min(2, len(cmd.Args))], " "), err)
			}
			l.mu.Lock()
			l.ended[stage] = true
			l.mu.Unlock()
			over <- err
		}()
	}
	all := <-over
	limit := patience
	if l.endless && all != nil {
		limit = time.Second
	}
	late := time.AfterFunc(limit, func() {
		if l.endless {
			l.kill(0, 1, 2)
			return
		}
		l.problem("%s: not all of it has ended %v after a part of it; see the goroutines in the log", l.name, patience)
		l.signal(syscall.SIGQUIT)
	})
	defer late.Stop()
	for range len(l.procs) - 1 {
		if err := <-over; all == nil {
			all = err
			if l.endless && err != nil {
				late.Reset(time.Second)
			}
		}
	}
	return all
}

// start starts the processes and joins them by pipes, as a shell does.
func (l *line) start(ctx context.Context) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping && !l.writes {
		return errStopped
	}
	l.lives++
	l.killed = false
	commands := l.commands(l.lives, l.stopping)
	l.procs, l.ended = nil, make([]bool, len(commands))
	var stdin *os.File
	for stage, words := range commands {
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		log, err := appendTo(l.log(stage))
		if err != nil {
			return err
		}
		fmt.Fprintln(log, begun, l.lives)
		cmd.Stderr = log
		if stdin != nil {
			cmd.Stdin = stdin
		}
		var next, stdout *os.File
		if stage < len(commands)-1 {
			if next, stdout, err = os.Pipe(); err != nil {
				return err
			}
			cmd.Stdout = stdout
		}
		err = cmd.Start()
		for _, f := range []*os.File{log, stdin, stdout} {
			if f != nil {
				f.Close()
			}
		}
		if err != nil {
			return err
		}
		stdin = next
		l.procs = append(l.procs, cmd)
	}
	return nil
}

// errStopped is start's error for a reader that is not needed any more.
var errStopped = errors.New("stopped")

// begun stands in the log before what a process says.
const begun = "-- life"

// kill kills the processes of some stages and returns how many there were.
func (l *line) kill(stages ...int) (killed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, stage := range stages {
		if stage < len(l.procs) && !l.ended[stage] && l.procs[stage].Process.Kill() == nil {
			l.killed = true
			killed++
		}
	}
	return killed
}

func (l *line) signal(s os.Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for stage, cmd := range l.procs {
		if !l.ended[stage] {
			cmd.Process.Signal(s)
		}
	}
}

// stop asks the first process to end, and waits until all have, each with status 0.
// A writer lives until everything is acknowledged.
func (l *line) stop(ctx context.Context) error {
	l.mu.Lock()
	l.stopping = true
	if len(l.procs) > 0 && !l.ended[0] {
		l.procs[0].Process.Signal(syscall.SIGTERM)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
		return nil
	case <-time.After(2 * time.Minute):
		l.signal(syscall.SIGQUIT)
		return fmt.Errorf("%s has not ended two minutes after it was told to; see the goroutines in the log", l.name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once runs a pipeline to its end.
func (l *line) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("it has not ended for two minutes"))
	defer cancel()
	err := l.live(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}
