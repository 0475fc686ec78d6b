package stdin

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	chunkSize = 128 << 10 // twice what a pipe holds
	chunks    = 3         // one is read while another is taken, and one waits
)

// reader reads a file ahead, and can be stopped while it waits for input:
// whatever kind of file it is, it is polled before it is read. (A deadline
// would need the file to be non-blocking, which whoever shares it would notice.)
type reader struct {
	in     io.Reader
	fd     int32
	chunks chan chunk // closed when the reader is done
	free   chan []byte

	wake, waker *os.File // a pipe; its writer is closed to stop
}

// chunk is what one read returned.
type chunk struct {
	buf  []byte
	data []byte // in buf
	more bool   // there is more to read, or the end of the input, right now
	err  error
}

// startReader starts a reader of in, which reads file in one way or another.
func startReader(file *os.File, in io.Reader) (*reader, error) {
	r := &reader{in: in, chunks: make(chan chunk, chunks), free: make(chan []byte, chunks)}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { r.fd = int32(fd) })
	}
	if err != nil {
		return nil, fmt.Errorf("looking at standard input: %w", err)
	}
	if r.wake, r.waker, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("making a pipe to stop with: %w", err)
	}
	for range chunks {
		r.free <- make([]byte, chunkSize)
	}
	go r.run(int32(r.wake.Fd()))
	return r, nil
}

func (r *reader) run(wake int32) {
	defer close(r.chunks)
	ready := false
	for buf := range r.free {
		if !ready {
			var err error
			if ready, err = r.poll(wake, -1); err != nil {
				r.chunks <- chunk{err: err}
				return
			}
			if !ready {
				return
			}
		}
		c := chunk{buf: buf}
		var n int
		n, c.err = r.in.Read(buf)
		c.data = buf[:n]
		if c.err == nil {
			c.more, c.err = r.poll(wake, 0)
		}
		ready = c.more
		r.chunks <- c
		if c.err != nil {
			return
		}
	}
}

// poll waits until there is input, or until stop is called, which goes before
// input; it reports whether there is input to be read.
func (r *reader) poll(wake int32, timeout int) (bool, error) {
	fds := []unix.PollFd{{Fd: wake, Events: unix.POLLIN}, {Fd: r.fd, Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, timeout)
		if err == nil {
			return fds[0].Revents == 0 && fds[1].Revents != 0, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("polling: %w", err)
		}
	}
}

// release gives c's memory back to be read into.
func (r *reader) release(c chunk) { r.free <- c.buf }

// stop makes the reader read no more. What it has read comes yet.
func (r *reader) stop() { r.waker.Close() }

// wait stops the reader, waits for its end and gives back what it holds. What
// it has read and nobody has taken is dropped.
func (r *reader) wait() {
	r.stop()
	close(r.free)
	for range r.chunks {
	}
	r.wake.Close()
}
