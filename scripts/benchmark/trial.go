package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bound is how long a trial may take before it has failed.
const bound = 10 * time.Minute

// trial is one run of a flow: its processes, its directory, and what it found.
type trial struct {
	*lab
	ctx      context.Context
	flow     string
	dir      string // has nothing in it at first but out
	out      string // where the flow writes its files
	n        int    // events to move
	duration time.Duration
	tracing  bool
	output   *os.File // the last process's standard output; nil for none
	procs    []*process
	memory   *memory
	spent    map[*process]time.Duration // CPU time that is not the flow's

	recordings []func() error // to be called when the processes have ended
	found      sample
	syncs      int    // counted if tracing
	policy     string // of durability, if a channel says it
}

// sample is what one trial found.
type sample struct {
	Events  int           `json:"events"`
	Elapsed time.Duration `json:"elapsed_ns"`
	CPU     time.Duration `json:"cpu_ns"`
	Memory  int64         `json:"memory_bytes"`
	Shares  []share       `json:"processes,omitempty"`
}

// share is what one process has of a sample. With an agent's CPU time is that of
// the processes that it has started.
type share struct {
	Command string        `json:"command"`
	CPU     time.Duration `json:"cpu_ns"`
	Memory  int64         `json:"memory_bytes"`
}

// process is one command of a trial.
type process struct {
	cmd    *exec.Cmd
	name   string
	label  string // name and type
	ours   bool
	stderr bytes.Buffer // not to be read before done
	done   chan struct{}
	err    error // how it ended
	trace  string
}

// try runs measure, which waits for the processes it starts, in a new trial, and
// returns the trial with what it found. Nothing of it is left behind.
func (l *lab) try(ctx context.Context, f flow, tracing bool, measure func(*trial) error) (*trial, error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	l.trials++
	t := &trial{lab: l, ctx: ctx, flow: f.name, n: f.events, duration: f.duration, tracing: tracing}
	t.dir = filepath.Join(l.dir, strconv.Itoa(l.trials))
	t.out = filepath.Join(t.dir, "out")
	if err := os.MkdirAll(t.out, 0o755); err != nil {
		return nil, err
	}
	t.memory = watchMemory()
	err := measure(t)
	peaks := t.memory.stop()
	for _, peak := range peaks {
		t.found.Memory += peak
	}
	if err != nil {
		cancel() // kills what is left
	}
	for _, p := range t.procs {
		<-p.done
		if said := policy.FindSubmatch(p.stderr.Bytes()); said != nil {
			t.policy = string(said[1])
		}
		cpu := p.cpu() - t.spent[p]
		t.found.CPU += cpu
		t.found.Shares = append(t.found.Shares, share{p.label, cpu, peaks[p.cmd.Process.Pid]})
	}
	for _, finish := range t.recordings {
		err = errors.Join(err, finish())
	}
	if tracing && err == nil {
		t.syncs, err = t.countSyncs()
	}
	return t, errors.Join(err, os.RemoveAll(t.dir))
}

// policy is in the line that a channel with a directory begins its log with.
var policy = regexp.MustCompile(`"message":"channel [^"]*: ([^",]*), capacity `)

func (p *process) cpu() time.Duration {
	state := p.cmd.ProcessState
	if state == nil {
		return 0
	}
	return state.UserTime() + state.SystemTime()
}

// pipe starts commands joined by pipes, as a shell does. They run in the
// trial's directory; stdin may be nil.
func (t *trial) pipe(stdin *os.File, commands ...string) error {
	for i, command := range commands {
		last := i == len(commands)-1
		stdout := t.output
		var next *os.File
		if !last {
			var err error
			if next, stdout, err = os.Pipe(); err != nil {
				return err
			}
		}
		err := t.start(stdin, stdout, command)
		if !last {
			stdout.Close()
		}
		if i > 0 {
			stdin.Close()
		}
		if err != nil {
			if next != nil {
				next.Close()
			}
			return err
		}
		stdin = next
	}
	return nil
}

func (t *trial) start(stdin, stdout *os.File, command string) error {
	args := strings.Fields(command)
	p := &process{name: args[0], label: strings.Join(args[:min(2, len(args))], " "), done: make(chan struct{})}
	if own := filepath.Join(t.bin, args[0]); exists(own) {
		args[0], p.ours = own, true
		args = append(args, "--log-format", "json")
	}
	if t.tracing {
		p.trace = filepath.Join(t.dir, fmt.Sprintf("%s-%d.trace", p.name, len(t.procs)))
		args = append(t.traced(p.trace), args...)
	}
	p.cmd = exec.CommandContext(t.ctx, args[0], args[1:]...)
	p.cmd.Dir = t.dir
	p.cmd.Env = append(os.Environ(), t.peers.env()...)
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second // children of a process that was killed hold its stderr
	// A nil *os.File is not a nil Reader.
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	t.procs = append(t.procs, p)
	t.memory.add(p.cmd.Process.Pid)
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return t.record(p)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// javaTerminated is the status of a Java program that SIGTERM has ended in order.
const javaTerminated = 128 + int(syscall.SIGTERM)

// wait waits until all processes have ended, each with status 0.
func (t *trial) wait() error {
	var all error
	for _, p := range t.procs {
		<-p.done
		if p.err != nil && !(p.name == "java" && p.cmd.ProcessState.ExitCode() == javaTerminated) {
			all = errors.Join(all, fmt.Errorf("%s: %w%s", p.name, p.err, tail(p.stderr.Bytes())))
		}
	}
	return all
}

// tail returns the last lines of a log, each on a line of its own.
func tail(log []byte) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return "\n    " + strings.Join(lines[max(0, len(lines)-4):], "\n    ")
}

// interrupt asks the first process to end; the others end after it.
func (t *trial) interrupt() error {
	return t.procs[0].cmd.Process.Signal(syscall.SIGTERM)
}

// await calls ready every millisecond until it is true. It fails when a process
// has ended, or time is up.
func (t *trial) await(what string, ready func() bool) error {
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		if ready() {
			tick.Stop()
			return nil
		}
		for _, p := range t.procs {
			select {
			case <-p.done:
				return fmt.Errorf("waiting for %s: %s ended: %v%s", what, p.name, p.err, tail(p.stderr.Bytes()))
			default:
			}
		}
		if t.ctx.Err() != nil {
			return fmt.Errorf("waiting for %s: %w", what, t.ctx.Err())
		}
	}
}

// delivered returns how many events the last process, a sink run with --once,
// says at its end that it has delivered.
func (t *trial) delivered() (int, error) {
	log := t.procs[len(t.procs)-1].stderr.Bytes()
	for text := range bytes.Lines(log) {
		var said struct{ Delivered *int }
		if json.Unmarshal(text, &said) == nil && said.Delivered != nil {
			return *said.Delivered, nil
		}
	}
	return 0, fmt.Errorf("the sink has not said how many events it delivered:%s", tail(log))
}

// deliveredAll holds the sink to what went in.
func (t *trial) deliveredAll(in int) error {
	out, err := t.delivered()
	if err == nil && out != in {
		err = fmt.Errorf("%d events went in, and %d came out", in, out)
	}
	return err
}
