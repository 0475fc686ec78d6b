package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/nonblock"
)

// Ack says what a Writer on standard output needs of its reader.
type Ack string

const (
	AckAuto    Ack = "auto"    // acknowledgements if the reader is one of ours
	AckRequire Ack = "require" // fail unless the reader is one of ours
	AckOff     Ack = "off"     // do not wait for a reader of ours
)

// Grace is how long a writer waits for a reader of ours to call, if it may go
// on without.
const Grace = 500 * time.Millisecond

// requireGrace is how long it waits if it may not.
const requireGrace = 10 * time.Second

// StdoutOptions are the options of OpenStdout.
type StdoutOptions struct {
	Name   string // of this component, for the other end's messages
	Format Format
	Ack    Ack
	// Notice is called, at most once, when the reader turned out to be a
	// foreign program, with what that means.
	Notice func(text string)
}

// Output is the options of a command that writes events to standard output, as
// package cli reads them.
type Output struct {
	Format string `name:"format" enum:"auto,frame,json,text,avro" default:"auto" help:"Form of the events on standard output. auto is frames to a command of ours, text to a terminal, JSON lines otherwise."`
	Ack    string `name:"ack" enum:"auto,require,off" default:"auto" help:"require: fail unless the reader of standard output acknowledges. off: do not look for one that does."`
}

// Open is OpenStdout for standard output itself, with these options. name is the
// component's; notice is called as StdoutOptions has it.
func (o Output) Open(ctx context.Context, name string, notice func(text string)) (*Writer, error) {
	return OpenStdout(ctx, os.Stdout, StdoutOptions{Name: name, Format: Format(o.Format), Ack: Ack(o.Ack), Notice: notice})
}

// OpenStdout returns a Writer on f, which is standard output or a file like it.
// It finds out who reads: see the package comment. ctx bounds the wait for the
// reader. The Writer closes f.
func OpenStdout(ctx context.Context, f *os.File, opt StdoutOptions) (*Writer, error) {
	s := &stdout{file: f, opt: opt, met: make(chan struct{})}
	s.writer = newWriter("the reader of standard output", s.close)
	name, isPipe := pipeAddr(f)
	meet := isPipe && opt.Ack != AckOff && (opt.Format == Auto || opt.Format == Frame)
	if opt.Ack == AckRequire && !meet {
		return nil, fault.Hint(errors.New("standard output is not a pipe, so no acknowledgement can come back"),
			"pipe it into fchan or fsink, or leave --ack=require out")
	}
	if meet {
		widen(f)
		var err error
		s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		if errors.Is(err, unix.EADDRINUSE) {
			return nil, fault.Hint(errors.New("another process already writes events to this pipe"),
				"start them one after the other, or let both put into one channel: fchan put DIR")
		}
		if err != nil {
			return nil, fmt.Errorf("listening for the reader of standard output: %w", err)
		}
		go s.accept()
		if s.wait(ctx) {
			return s.writer, nil
		}
		if ctx.Err() != nil {
			s.writer.Abort(ErrClosed)
			return nil, ctx.Err()
		}
		if opt.Ack == AckRequire {
			s.writer.Abort(ErrClosed)
			return nil, fault.Hint(fmt.Errorf("nobody of ours read standard output within %v", requireGrace),
				"pipe it into fchan or fsink, or leave --ack=require out")
		}
	}
	if err := s.writeForeign(meet); err != nil {
		s.writer.Abort(err)
		return nil, err
	}
	return s.writer, nil
}

// stdout finds out who reads a Writer's file.
type stdout struct {
	file     *os.File
	opt      StdoutOptions
	writer   *Writer
	listener *net.UnixListener // nil where nobody can call
	met      chan struct{}     // closed when a reader of ours has called
	greeting atomic.Int32      // calls that are being answered
	written  atomic.Int64      // bytes in lines
	closing  sync.Once
}

// Write writes lines for a foreign reader.
func (s *stdout) Write(lines []byte) (int, error) {
	n, err := s.file.Write(lines)
	s.written.Add(int64(n))
	return n, err
}

func (s *stdout) close() {
	s.closing.Do(func() {
		if s.listener != nil {
			s.listener.Close()
		}
		s.file.Close()
	})
}

// wait waits for a reader of ours to call.
func (s *stdout) wait(ctx context.Context) bool {
	grace := Grace
	if s.opt.Ack == AckRequire {
		grace = requireGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-s.met:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// accept takes the first call of a reader of ours, also one that comes after
// the grace.
func (s *stdout) accept() {
	for {
		called, err := s.listener.AcceptUnix()
		if err != nil {
			return
		}
		conn := nonblock.NewConn(called)
		s.greeting.Add(1)
		hello, r, err := greet(conn, Hello{Role: Pipe, Name: s.opt.Name}, false)
		if err != nil || hello.Role != Pipe {
			conn.Close()
			s.greeting.Add(-1)
			continue
		}
		s.listener.Close()
		s.frames(&link{
			data:    pipe{s.file},
			answers: r,
			bounds:  hello.Bounds,
			close:   func() { conn.Close() },
		})
		s.greeting.Add(-1)
		close(s.met)
		return
	}
}

// frames changes from nothing, or from lines at a line's end, to frames. What was
// written in lines and did not count comes again.
func (s *stdout) frames(l *link) {
	s.writer.write.Lock()
	defer s.writer.write.Unlock()
	if s.linked() {
		l.close() // frames without acknowledgements have begun
		return
	}
	begin := appendFrameHead([]byte(magic), kindAgain, 0, s.writer.inDoubt(), 0)
	if _, err := s.file.Write(begin); err != nil {
		l.close()
		s.writer.Abort(fmt.Errorf("writing to %s: %w", s.writer.name, err))
		return
	}
	s.writer.start(l)
}

func (s *stdout) linked() bool {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	return s.writer.link != nil
}

// writeForeign begins to write for a reader that is not ours, or that none is
// known of. A reader of ours may have called just now: then it is left at that.
func (s *stdout) writeForeign(meet bool) error {
	s.writer.write.Lock()
	defer s.writer.write.Unlock()
	if s.linked() {
		return nil
	}
	format := s.opt.Format
	if format == Auto {
		format = JSON
		if info, err := s.file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && isTerminal(s.file) {
			format = Text
		}
	}
	if format == Frame {
		if s.listener != nil {
			s.listener.Close() // the frames begin without acknowledgements, and so they go on
		}
		if _, err := s.file.WriteString(magic); err != nil {
			return fmt.Errorf("writing to standard output: %w", err)
		}
		s.writer.start(&link{data: pipe{s.file}, bounds: Bounds{}.orDefaults(), close: func() {}})
	} else {
		enc, err := newEncoder(format)
		if err != nil {
			return err
		}
		s.writer.writeLines(enc, s, meet)
		if meet {
			go s.watch()
			return nil
		}
	}
	s.notice(meet)
	return nil
}

// watch waits until somebody has read of the lines. A reader of ours calls when
// there is something to read and before it reads: so that is a foreign one, and
// what is written may count as delivered from now on. Until then it does not: the
// reader may be one of ours that is slow to start, and be killed before it reads.
func (s *stdout) watch() {
	for {
		written := s.written.Load()
		left, ok := unread(s.file)
		if !ok || written > int64(left) && s.greeting.Load() == 0 {
			break
		}
		if deserted(s.file) {
			s.writer.Abort(fmt.Errorf("writing to %s: %w", s.writer.name, unix.EPIPE))
			return
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-s.met:
			return
		case <-s.writer.Done():
			return
		}
	}
	s.writer.trustLines(func() { s.notice(true) })
}

// notice tells the user what it means that the reader of a pipe is foreign.
func (s *stdout) notice(pipe bool) {
	if pipe && s.opt.Notice != nil {
		s.opt.Notice("the reader of standard output does not acknowledge: what was written to it counts as delivered")
	}
}

func isTerminal(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	terminal := false
	raw.Control(func(fd uintptr) {
		_, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
		terminal = err == nil
	})
	return terminal
}
