// Package nonblock reads and writes sockets and pipes without telling the Go
// runtime of each system call.
//
// A system call may block, so the runtime prepares for that around each of them:
// among other things it wakes its monitor thread, which rests while all goroutines
// wait, and then looks about every 20 µs. A process that passes batches on waits
// before each, and half a dozen of them on two cores spend a quarter of their time
// on that (measured by scripts/bench avro-agents-1000). But a descriptor that
// never blocks (O_NONBLOCK, which the runtime gives to sockets and to the pipes
// that it makes) has nothing to prepare for: where there is nothing to read, or no
// room to write, the goroutine waits for the poller, as ever.
//
// Deadlines and Close do to the calls here what they do to those of net and os,
// and the errors are theirs.
package nonblock

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Conn is a net.Conn. Its methods may be called by several goroutines; calls of
// Read wait for each other, and so do those that write, so that what one of them
// writes stays together.
type Conn struct {
	net.Conn
	in, out *end // nil: those of Conn do
}

// NewConn returns conn with the calls of this package, which conn itself is not
// to be read or written beside. One that has no descriptor of its own, such as that
// of TLS, works as it did.
func NewConn(conn net.Conn) *Conn {
	c := &Conn{Conn: conn}
	if s, ok := conn.(syscall.Conn); ok {
		c.in, c.out = ends(s)
	}
	return c
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.in == nil || len(p) == 0 {
		return c.Conn.Read(p)
	}
	n, err := c.in.transfer(p, nil)
	if err != nil {
		return n, c.failed("read", err)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) { return c.WriteBoth(p, nil) }

// WriteBoth writes head and then body, in one system call if there is room for
// both. It returns how many bytes of them were written.
func (c *Conn) WriteBoth(head, body []byte) (int, error) {
	if c.out == nil {
		n, err := (&net.Buffers{head, body}).WriteTo(c.Conn)
		return int(n), err
	}
	n, err := c.out.transfer(head, body)
	if err != nil {
		return n, c.failed("write", err)
	}
	return n, nil
}

// SyscallConn implements syscall.Conn. It fails for a Conn that has no descriptor.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// failed returns err as net has it.
func (c *Conn) failed(op string, err error) error {
	if ours := new(net.OpError); errors.As(err, &ours) { // what net says of raw-read and raw-write
		err = ours.Err
	} else {
		err = os.NewSyscallError(op, err)
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// file is an io.Reader.
type file struct {
	file *os.File
	in   *end
}

// NewReader returns f, the reading end of a pipe, with the calls of this package,
// which f itself is not to be read beside. One that may block works as it did.
func NewReader(f *os.File) io.Reader {
	if in, _ := ends(f); in != nil {
		return &file{f, in}
	}
	return f
}

func (f *file) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.in.transfer(p, nil)
	if err != nil {
		return n, &os.PathError{Op: "read", Path: f.file.Name(), Err: err}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// ends returns both ends of a descriptor, nil if that may block.
func ends(of syscall.Conn) (in, out *end) {
	raw, err := of.SyscallConn()
	if err != nil {
		return nil, nil
	}
	never := false
	raw.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		never = err == nil && flags&unix.O_NONBLOCK != 0
	})
	if !never {
		return nil, nil
	}
	return newReading(raw), newWriting(raw)
}
