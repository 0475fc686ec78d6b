package exec

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/text/transform"

	"github.com/flumekit/flumekit/pkg/nonblock"
	"github.com/flumekit/flumekit/pkg/procgroup"
)

const (
	chunkSize = 64 << 10 // what a pipe holds

	// lastWords is how long to wait for output that a process which has
	// left the group may still be writing, once the command is gone.
	lastWords = 100 * time.Millisecond
)

// process is a command that was started.
type process struct {
	grace  time.Duration
	pid    int
	output <-chan []byte // what it writes; each is valid until the next is received

	stdout, stderr *os.File
	killed         atomic.Bool
	abandoned      chan struct{} // closed when nobody takes the output any more
	abandonOnce    sync.Once
	read           chan struct{} // closed when all output was read
	exited         chan end      // how it ended, once
	ended          chan struct{} // closed when it has exited and its output was read
	said           chan string   // its last line on standard error, once
}

func start(ctx context.Context, opt *Options, args []string) (*process, error) {
	p := &process{
		grace:     opt.KillGrace.Duration(),
		abandoned: make(chan struct{}),
		read:      make(chan struct{}),
		exited:    make(chan end, 1),
		ended:     make(chan struct{}),
		said:      make(chan string, 1),
	}
	cmd := osexec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = procgroup.Leader()
	// As Flume has it, standard input is a pipe that nothing is written to:
	// a command that reads it waits and does not see an end.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	stdout, err := attach(&cmd.Stdout)
	if err != nil {
		return nil, err
	}
	stderr, err := attach(&cmd.Stderr)
	if err != nil {
		stdout.Close()
		cmd.Stdout.(*os.File).Close()
		return nil, err
	}
	p.stdout, p.stderr = stdout, stderr

	started := make(chan error)
	go p.live(cmd, started)
	if err := <-started; err != nil {
		stdout.Close()
		stderr.Close()
		return nil, err
	}
	output := make(chan []byte)
	p.output = output
	go p.readOutput(opt, output)
	go p.readErrors(ctx, bool(opt.LogStdErr))
	return p, nil
}

// attach sets a command's output to a new pipe and returns the pipe's other end.
func attach(output *io.Writer) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	*output = w
	return r, nil
}

// live starts the command and waits for its exit. Both are done on one thread,
// kept for as long as the command runs, because the kernel takes the end of the
// thread that has started it for the end of its parent (see procgroup.Leader).
func (p *process) live(cmd *osexec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	cmd.Stdout.(*os.File).Close()
	cmd.Stderr.(*os.File).Close()
	if err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil
	cmd.Wait() // its error is in the state
	<-p.read
	close(p.ended)
	p.exited <- end{code: code(cmd.ProcessState.Sys().(syscall.WaitStatus)), how: cmd.ProcessState.String()}
}

// readOutput sends what the command writes to output, as UTF-8 if bytes alone
// do not tell where its lines end.
func (p *process) readOutput(opt *Options, output chan<- []byte) {
	defer close(p.read)
	defer close(output)
	in := nonblock.NewReader(p.stdout)
	if wide(opt.Charset) {
		in = transform.NewReader(in, opt.Charset.Encoding().NewDecoder())
	}
	// Sending on output waits for the one before to be taken: of the
	// buffers, one is being taken, and one is being sent or read into.
	var bufs [2][chunkSize]byte
	for i, after := 0, 0; after < chunkSize; i = 1 - i {
		gone := p.killed.Load()
		if gone {
			p.stdout.SetReadDeadline(time.Now().Add(lastWords))
		}
		n, err := in.Read(bufs[i][:])
		if n > 0 {
			select {
			case output <- bufs[i][:n]:
			case <-p.abandoned:
				return
			}
		}
		if gone {
			after += n // no more than the pipe can have held is the command's
		}
		if err != nil {
			return
		}
	}
}

// readErrors reads the command's standard error, so that it need not wait.
func (p *process) readErrors(ctx context.Context, show bool) {
	log := zerolog.Ctx(ctx)
	in := bufio.NewReader(p.stderr)
	said := ""
	for n := 1; ; n++ {
		line, _, err := in.ReadLine()
		if err != nil {
			p.said <- said
			return
		}
		said = string(line)
		if show {
			log.Info().Msgf("StderrLogger[%d] = '%s'", n, line)
		}
	}
}

// terminate asks the command and its children to end, and then makes them.
//
// Flume: signals the command alone, and waits for it without limit; here no
// child is left and the wait has an end.
func (p *process) terminate() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return
	case <-time.After(p.grace):
	}
	p.signal(syscall.SIGKILL)
	p.killed.Store(true)
	p.stdout.SetReadDeadline(time.Now().Add(lastWords))
}

func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.ended: // its number may be another's by now
	default:
		procgroup.Signal(p.pid, s)
	}
}

// abandon ends the command, whose output nobody will take.
func (p *process) abandon() {
	p.abandonOnce.Do(func() { close(p.abandoned) })
	p.terminate()
}

// wait waits for the command's end and gives back what it has held.
func (p *process) wait() end {
	e := <-p.exited
	p.stderr.SetReadDeadline(time.Now().Add(lastWords))
	e.said = <-p.said
	p.stdout.Close()
	p.stderr.Close()
	return e
}
