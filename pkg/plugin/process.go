package plugin

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
	"github.com/flumekit/flumekit/pkg/procgroup"
)

// Grace is how long a plug-in has to end after SIGTERM, before SIGKILL.
const Grace = 3 * time.Second

// propertiesFile is the first descriptor after the standard ones, as a file.
const propertiesFile = "/dev/fd/3"

// Call is how a plug-in is started.
type Call struct {
	Program
	Properties map[string]string
	Target     string // "" if there is none
	Stdin      *os.File
	Stdout     *os.File // nil is the null device, as it is for Stdin
}

// Process is a plug-in that was started. Its methods may be called by several
// goroutines at once.
type Process struct {
	name  string
	pid   int
	ended chan struct{}    // closed when it has ended
	state *os.ProcessState // how; valid then
}

// Start starts a plug-in, the leader of a process group of its own: a Ctrl-C
// is for the caller, which ends it in order. Standard error is the caller's.
// The files of c are the plug-in's too: the caller closes its own afterwards.
func Start(c Call) (*Process, error) {
	cmd := exec.Command(c.Path)
	cmd.Args[0] = c.Name
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = procgroup.Leader()
	var properties []byte
	var w *os.File
	if len(c.Properties) > 0 {
		var err error
		if properties, err = format(c.Properties); err != nil {
			return nil, fault.WithStatus(fmt.Errorf("the properties of plug-in %s: %w", c.Name, err), fault.Config)
		}
		var r *os.File
		if r, w, err = os.Pipe(); err != nil {
			return nil, fmt.Errorf("starting plug-in %s: %w", c.Name, err)
		}
		defer r.Close()
		cmd.ExtraFiles = []*os.File{r}
		cmd.Args = append(cmd.Args, "--properties", propertiesFile)
	}
	if c.Target != "" {
		cmd.Args = append(cmd.Args, c.Target)
	}
	p := &Process{name: c.Name, ended: make(chan struct{})}
	started := make(chan error, 1)
	go p.live(cmd, w, properties, started)
	if err := <-started; err != nil {
		err = fmt.Errorf("starting plug-in %s: %w", c.Name, err)
		return nil, fault.Hint(err, "a script begins with the line #!/bin/sh, or with that of another interpreter: %s", c.Path)
	}
	return p, nil
}

// live starts the plug-in and waits for its end. Both are done on one thread,
// kept for as long as the plug-in runs, because the kernel takes the end of the
// thread that has started it for the end of its parent (see procgroup.Leader).
func (p *Process) live(cmd *exec.Cmd, w *os.File, properties []byte, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if w != nil {
		defer w.Close() // also where nobody reads all of it
	}
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil
	var written sync.WaitGroup
	if w != nil {
		written.Go(func() {
			w.Write(properties) // it fails where they are not read
			w.Close()
		})
	}
	cmd.Wait() // its error is in the state
	p.state = cmd.ProcessState
	close(p.ended)
	if w != nil {
		w.Close()
	}
	written.Wait()
}

// format returns the text of properties in the order of their names. Their
// places are those in the text itself: each has a line after a comment.
func format(properties map[string]string) ([]byte, error) {
	var props []flumeconf.Property
	for i, key := range slices.Sorted(maps.Keys(properties)) {
		props = append(props, flumeconf.Property{
			Key:   key,
			Value: properties[key],
			Pos:   flumeconf.Position{File: propertiesFile, Line: 2*i + 2},
		})
	}
	var text bytes.Buffer
	err := flumeconf.Format(&text, props)
	return text.Bytes(), err
}

// Terminate asks the plug-in and its children to end, and makes them if done is
// not closed within Grace. It returns then, or when done is closed. It must not
// be called when they have all ended.
func (p *Process) Terminate(done <-chan struct{}) {
	p.signal(syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(Grace):
		p.Kill()
	}
}

// Kill ends the plug-in and its children at once. It must not be called when
// they have all ended.
func (p *Process) Kill() { p.signal(syscall.SIGKILL) }

func (p *Process) signal(s syscall.Signal) { procgroup.Signal(p.pid, s) }

// Ended is closed when the plug-in has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits for the plug-in's end and returns an error if it failed.
func (p *Process) Wait() error {
	<-p.ended
	if p.state.Success() {
		return nil
	}
	return fmt.Errorf("plug-in %s ended: %v", p.name, p.state)
}
