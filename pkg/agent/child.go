package agent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

const (
	// settled is how long the first process of a component has to run for
	// its later failure not to be a failure to start.
	settled = 5 * time.Second

	// orphaned is how long the output of an ended process is waited for, when
	// a process that it started holds the pipe.
	orphaned = time.Second
)

// child is the process of one component, over all the times it is started.
type child struct {
	Process
	path   string // of the executable
	cpus   int    // that it may use at the same time; 0 if it is to decide
	stdout *lineWriter
	stderr *lineWriter
	relay  *relay
	log    zerolog.Logger
	failed func(error)   // told why the component could not start
	quit   chan struct{} // closed when the process is to end
	done   chan struct{} // closed when it will not run again; nil before launch

	mu sync.Mutex

	stopping bool
	process  *os.Process // nil while none runs
	cut      bool
}

func newChild(p Process, path string, stdout, logs io.Writer, log zerolog.Logger) *child {
	r := &relay{program: p.Program, component: p.Component, logs: logs, log: log}
	return &child{
		Process: p,
		path:    path,
		stdout:  &lineWriter{w: stdout},
		stderr:  &lineWriter{w: r},
		relay:   r,
		log:     log,
		quit:    make(chan struct{}),
	}
}

// title returns the component as Flume's log calls it: "Source r1".
func (c *child) title() string {
	kind := string(c.Component.Kind)
	if c.Component.Kind == flumeconf.SinkGroup {
		kind = string(flumeconf.Sink)
	}
	return strings.ToUpper(kind[:1]) + kind[1:] + " " + c.Component.Name
}

// launch starts the process and keeps it running until stop is called.
func (c *child) launch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = make(chan struct{})
	go func() {
		defer close(c.done)
		c.keepRunning()
	}()
}

func (c *child) keepRunning() {
	var pauses backoff
	var reported string
	for first := true; ; first = false {
		began := time.Now()
		state, err := c.run()
		if errors.Is(err, errStopping) {
			return
		}
		ran := time.Since(began)
		switch c.judge(state, first && ran < settled) {
		case cannotStart:
			c.failed(err)
			return
		case hopeless:
			c.report(err).Msgf("%s does not run any more", c.title())
			return
		case finished:
			if err != nil {
				c.report(err).Msgf("%s has come to its end", c.title())
			} else {
				c.log.Info().Msgf("%s has come to its end", c.title())
			}
			return
		case stopped:
			// Ended by the signal itself, it had not begun: a process
			// that has begun ends in its own way.
			if err != nil && !endedBy(state, syscall.SIGTERM) {
				c.interrupt()
				c.report(err).Msgf("%s did not end as it should", c.title())
			}
			return
		}
		pause := pauses.after(ran)
		// Flume: a component that cannot start is tried every 3 s, and the
		// exception is logged each time; here each cause once.
		if text := fmt.Sprint(err); text != reported || ran >= settled || signaled(state) {
			reported = text
			loss := ""
			if c.Forgets {
				loss = ", what it held is lost"
			}
			c.report(err).Msgf("%s ended%s; starting it again after %v", c.title(), loss, pause.Round(time.Millisecond))
		}
		select {
		case <-time.After(pause):
		case <-c.quit:
			return
		}
	}
}

// report begins a log line about err.
func (c *child) report(err error) *zerolog.Event {
	event := c.log.Error()
	if err == nil {
		return event
	}
	text := strings.TrimPrefix(strings.Join(fault.Lines(err), "; "), "error: ")
	return event.Str("error", text)
}

// verdict is what follows from a process's end.
type verdict int

const (
	startAgain  verdict = iota
	cannotStart         // and that ends the agent
	hopeless            // the configuration is wrong
	finished            // the input is at an end
	stopped             // as it was asked to
)

// judge says what follows from the end of a process; its state is nil if it
// could not even be made. Early says that it was the component's first and did
// not run for long.
func (c *child) judge(state *os.ProcessState, early bool) verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := fault.Failed
	if state != nil {
		status = state.ExitCode() // -1 if a signal ended it
	}
	misconfigured := status == fault.Usage || status == fault.Config
	switch {
	case early && (misconfigured || status == fault.Failed && !c.Final && c.joined()):
		// Flume: it is tried again for ever, and the agent goes on without
		// it; here a topology that cannot work does not look alive.
		return cannotStart
	case c.stopping:
		return stopped
	case misconfigured:
		return hopeless
	case c.Component.Kind != flumeconf.Source || signaled(state):
		return startAgain
	case status == fault.Delivered || status == fault.SetAside || c.Final:
		return finished
	}
	return startAgain
}

// joined reports whether the channels that the process needs are there: if not,
// it is not its own fault that it ended.
func (c *child) joined() bool {
	for _, socket := range c.Peers {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		conn.Close()
	}
	return true
}

// run runs the process once and returns when it has ended. The state is nil if
// it could not be started; the error is nil only if it ended with status 0.
func (c *child) run() (*os.ProcessState, error) {
	cmd, err := c.start()
	if err != nil {
		return nil, fault.At(fmt.Errorf("starting %s: %w", c.path, err), c.Component.Where("type"))
	}
	err = cmd.Wait()
	state := cmd.ProcessState
	c.ended(state)
	c.stdout.flush()
	c.stderr.flush()
	failure := c.relay.failure()
	switch {
	case state.Success():
		return state, nil
	case failure == nil:
		failure = fault.At(fmt.Errorf("%s: %w", c.Program, err), c.Component.Where("type"))
	}
	if status := state.ExitCode(); status == fault.Usage || status == fault.Config {
		failure = fault.WithStatus(failure, fault.Config)
	}
	return state, failure
}

// errStopping is why a process is not started again.
var errStopping = errors.New("stopping")

// start starts the process, hands it its properties and holds its lifeline.
func (c *child) start() (*exec.Cmd, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil, errStopping
	}
	if c.Socket != "" {
		os.Remove(c.Socket) // a killed process leaves it
	}
	cmd := exec.Command(c.path)
	cmd.Args = append([]string{c.Program}, c.args("/dev/fd/3")...)
	if c.cpus > 0 {
		cmd.Args = append(cmd.Args, "--cpus", strconv.Itoa(c.cpus))
	}
	cmd.Stdout = c.stdout
	cmd.Stderr = c.stderr
	cmd.WaitDelay = orphaned
	// A group of its own keeps a terminal's Ctrl-C from the process: the
	// topology is to end in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The kernel ends the lifeline when this process dies, however it dies.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{r}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, err
	}
	c.process = cmd.Process
	// A pipe can be read but once: what the process starts in its turn
	// inherits an empty one. The properties may be more than it holds.
	go func() {
		defer w.Close()
		flumeconf.Format(w, c.Properties)
	}()
	return cmd, nil
}

// ended takes note that the process has ended.
func (c *child) ended(state *os.ProcessState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if signaled(state) {
		// It could not end what it had started.
		syscall.Kill(-c.process.Pid, syscall.SIGKILL)
	}
	c.process = nil
}

func signaled(state *os.ProcessState) bool { return state != nil && !state.Exited() }

// endedBy reports whether that signal ended the process.
func endedBy(state *os.ProcessState, signal syscall.Signal) bool {
	if state == nil {
		return false
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}

// stop asks the process to end and keeps it from being started again. It
// reports whether there is something to wait for: done.
func (c *child) stop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopping {
		c.stopping = true
		close(c.quit)
		if c.process != nil {
			c.process.Signal(syscall.SIGTERM)
		}
	}
	if c.done == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// insist asks the process to end a second time, which means at once.
func (c *child) insist() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		c.process.Signal(syscall.SIGTERM)
	}
}

// kill ends the process and all that it has started.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		syscall.Kill(-c.process.Pid, syscall.SIGKILL)
	}
}

// interrupt takes note that the process did not come to its end.
func (c *child) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
}

// interrupted reports whether the process was asked to end and did not do what
// that takes.
func (c *child) interrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}
