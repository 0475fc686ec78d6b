// Package agent runs a topology: one process for each channel, sink or sink group
// and source of an agent, joined by Unix sockets.
//
// NewPlan says which processes those are and how they are called; Run starts
// them, keeps them running and ends them:
//
//   - Channels are started first. When each of them answers on its socket, the
//     sinks are started, then the sources.
//   - A process that dies is started again, after a pause that grows from 200 ms
//     to 30 s while it keeps dying. A source that comes to its end is left at that.
//   - A component that cannot start when the agent starts ends the agent.
//   - At the end, sources stop their intake; then channels whose events would be
//     lost with their process are drained by the sinks, as far as the grace
//     allows; then the sinks end, and the other channels.
//   - The processes do not outlive the one that started them, however it dies:
//     each has a pipe from it as its standard input, and ends when that does.
//
// Properties reach a process on an inherited descriptor, so that no secret
// stands in a command line, in the environment or on a disk. What the processes
// log becomes one log; what they print, one output of whole lines.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// Options are what a topology needs of the process that runs it.
type Options struct {
	// Locate returns the path of the executable of a program: fsrc, fchan
	// or fsink. If nil, it is the function of that name.
	Locate func(program string) (string, error)

	// Stdout gets what the processes print, in whole lines.
	Stdout io.Writer

	// Logs gets what the processes log: JSON objects as zerolog writes them,
	// one line in each Write. A line on a process's standard error that is no such
	// object is logged as a warning.
	Logs io.Writer

	// Grace bounds the time from the request to stop to the last process's
	// end. What a memory channel holds after it is lost.
	Grace time.Duration
}

// lastWord is how long a process has at least, however little of the grace is
// left, to end when it is asked to.
const lastWord = time.Second

// Run runs the processes of plan until stop is done, and returns when all have
// ended: nil if they ended as they should, else why components could not start,
// or what was lost at the end. When ctx is done, of which stop is derived, all
// are ended at once. The agent's own messages go to the logger in ctx.
func Run(ctx, stop context.Context, plan *Plan, opt Options) error {
	s, err := newSupervisor(ctx, plan, opt)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, s.kill)()

	failure := s.start(stop)
	if failure == nil {
		select {
		case <-stop.Done():
		case failure = <-s.failures:
		}
	}
	lost := s.stop()
	failures := []error{failure}
	for len(s.failures) > 0 {
		failures = append(failures, <-s.failures)
	}
	return errors.Join(append(failures, lost)...)
}

// supervisor is a running plan.
type supervisor struct {
	opt                      Options
	log, counters            zerolog.Logger
	channels, sinks, sources []*child
	failures                 chan error // why components could not start; has room for all
}

func newSupervisor(ctx context.Context, plan *Plan, opt Options) (*supervisor, error) {
	if opt.Locate == nil {
		opt.Locate = Locate
	}
	s := &supervisor{
		opt:      opt,
		log:      zerolog.Ctx(ctx).With().Str("logger", "node.Application").Logger(),
		counters: zerolog.Ctx(ctx).With().Str("logger", "instrumentation.MonitoredCounterGroup").Logger(),
		failures: make(chan error, len(plan.Processes)),
	}
	stdout := &lockedWriter{w: opt.Stdout}
	logs := &lockedWriter{w: opt.Logs}
	for _, p := range plan.Processes {
		path, err := opt.Locate(p.Program)
		if err != nil {
			return nil, err
		}
		c := newChild(p, path, stdout, logs, s.log)
		c.cpus = share(len(plan.Processes))
		c.failed = func(err error) { s.failures <- err }
		switch p.Component.Kind {
		case flumeconf.Channel:
			s.channels = append(s.channels, c)
		case flumeconf.Sink, flumeconf.SinkGroup:
			s.sinks = append(s.sinks, c)
		case flumeconf.Source:
			s.sources = append(s.sources, c)
		}
	}
	return s, nil
}

// share returns how many CPUs each of so many processes may use at the same time:
// together twice what there are. With more, Go's scheduler wakes a thread on
// another CPU for nearly every batch that comes, which finds nothing to do there:
// that took a fifth of the CPU time of two agents on two CPUs. It is 0, for no
// bound, if the user has set GOMAXPROCS.
func share(processes int) int {
	if os.Getenv("GOMAXPROCS") != "" {
		return 0
	}
	cpus := runtime.GOMAXPROCS(0)
	return min(max(2*cpus/processes, 1), cpus)
}

// start starts all processes in order. It returns early, with nil, when stop is
// done, and with the error when a component could not start.
func (s *supervisor) start(stop context.Context) error {
	s.launch(s.channels)
	for _, c := range s.channels {
		if err := s.await(stop, c); err != nil || stop.Err() != nil {
			return err
		}
	}
	s.launch(s.sinks)
	s.launch(s.sources)
	return nil
}

func (s *supervisor) launch(children []*child) {
	for _, c := range children {
		s.log.Info().Msgf("Starting %s", c.title())
		c.launch()
	}
}

// await returns when channel c answers on its socket.
func (s *supervisor) await(stop context.Context, c *child) error {
	const look, tell = 5 * time.Millisecond, 5 * time.Second
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	told := time.Now()
	for {
		select {
		case <-stop.Done():
			return nil
		case err := <-s.failures:
			return err
		case now := <-ticker.C:
			if conn, err := net.Dial("unix", c.Socket); err == nil {
				conn.Close()
				s.logCounter(c, "started")
				return nil
			}
			if now.Sub(told) >= tell {
				told = now
				s.log.Info().Msgf("Waiting for channel: %s to start", c.Component.Name)
			}
		}
	}
}

// logCounter logs what Flume's counter of channel c would.
func (s *supervisor) logCounter(c *child, what string) {
	s.counters.Info().Msgf("Component type: CHANNEL, name: %s %s", c.Component.Name, what)
}

// stop ends all processes in order and returns what was lost.
func (s *supervisor) stop() error {
	deadline := time.Now().Add(s.opt.Grace)
	var forgetting, keeping []*child
	for _, c := range s.channels {
		if c.Forgets {
			forgetting = append(forgetting, c)
		} else {
			keeping = append(keeping, c)
		}
	}
	// Flume: sinks are stopped before channels, and what a memory channel
	// holds is lost; here the sinks go on until it is empty.
	return errors.Join(
		s.halt(s.sources, deadline),
		s.halt(forgetting, deadline),
		s.halt(s.sinks, deadline),
		s.halt(keeping, deadline),
	)
}

// halt asks children to end, and ends those that have not at the deadline.
func (s *supervisor) halt(children []*child, deadline time.Time) error {
	var running []*child
	for _, c := range children {
		if c.stop() {
			s.log.Info().Msgf("Stopping %s", c.title())
			running = append(running, c)
		}
	}
	overdue := time.After(max(time.Until(deadline), lastWord))
	var errs []error
	for _, c := range running {
		select {
		case <-c.done:
		case <-overdue:
			s.overrule(running)
			<-c.done
		}
		if c.Component.Kind == flumeconf.Channel {
			s.logCounter(c, "stopped")
		}
	}
	for _, c := range children {
		if c.Forgets && c.interrupted() {
			err := fmt.Errorf("channel %s was ended before it was empty; what it still held is lost", c.Component.Name)
			errs = append(errs, fault.Hint(err, "a channel of type file keeps its events; --grace gives the sinks more time"))
		}
	}
	return errors.Join(errs...)
}

// overrule ends those of children that did not end when they were asked to: they
// are asked again, which means at once, and then killed.
func (s *supervisor) overrule(children []*child) {
	for _, c := range children {
		if c.stop() {
			s.log.Warn().Msgf("%s has not ended within the grace of %v; ending it at once", c.title(), s.opt.Grace)
			c.insist()
		}
	}
	overdue := time.After(lastWord)
	for _, c := range children {
		select {
		case <-c.done:
		case <-overdue:
			for _, c := range children {
				c.kill()
			}
			<-c.done
		}
	}
}

// kill ends all processes at once.
func (s *supervisor) kill() {
	for _, children := range [][]*child{s.sources, s.sinks, s.channels} {
		for _, c := range children {
			c.stop()
			c.kill()
		}
	}
}
