package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flumekit/flumekit/pkg/nonblock"
)

// handshakeTime bounds the exchange of hellos: both ends are on this machine.
const handshakeTime = 5 * time.Second

// pipeAddr returns the name of the socket at which the two ends of the pipe f
// meet. ok is false if f is not a pipe.
func pipeAddr(f *os.File) (name string, ok bool) {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return "", false
	}
	dev, ino, ok := inode(info)
	if !ok {
		return "", false
	}
	return meetingName(fmt.Sprintf("%d-%x-%x", os.Geteuid(), dev, ino)), true
}

// errStranger is the end of a handshake with another user's process.
var errStranger = errors.New("the process at the other end belongs to another user")

// greet exchanges hellos on a new connection: the dialling end speaks first.
// It returns the other end's hello and the reader that goes on from there.
func greet(conn *nonblock.Conn, mine Hello, dialled bool) (Hello, *bufio.Reader, error) {
	if uid, ok := peerUID(conn); ok && uid != os.Geteuid() {
		return Hello{}, nil, errStranger
	}
	conn.SetDeadline(time.Now().Add(handshakeTime))
	defer conn.SetDeadline(time.Time{})
	r := bufio.NewReaderSize(conn, 64<<10)
	if dialled {
		if _, err := conn.Write(appendHello(nil, mine)); err != nil {
			return Hello{}, nil, err
		}
	}
	theirs, err := readHello(r)
	if err != nil {
		return Hello{}, nil, err
	}
	if !dialled {
		if _, err := conn.Write(appendHello(nil, mine)); err != nil {
			return Hello{}, nil, err
		}
	}
	return theirs, r, nil
}

// call dials the writer at the other end of the pipe f until it answers or there
// is something to read, or ctx is done. It returns nil if nobody answered.
//
// It dials once more when there is something to read, and nothing is read before:
// that is how the writer knows, when something was read, that the reader is not
// one of ours.
func call(ctx context.Context, f *os.File, name string, hello Hello) *nonblock.Conn {
	// A writer that starts later waits for us at least half a second.
	for pause := time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 100*time.Millisecond) {
		if conn := callOnce(name, hello); conn != nil {
			return conn
		}
		if readable(f, pause) {
			return callOnce(name, hello)
		}
	}
	return nil
}

// readable waits so long for something to read, an end included.
func readable(f *os.File, wait time.Duration) bool {
	return polled(f, unix.POLLIN, wait)
}

// deserted reports whether nobody has the reading end of the pipe f any more.
func deserted(f *os.File) bool { return polled(f, 0, 0) }

// polled reports whether one of the events, or an error, is there within wait.
func polled(f syscall.Conn, events int16, wait time.Duration) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return true // the next read or write will say what is wrong
	}
	n := 1
	raw.Control(func(fd uintptr) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int(wait.Milliseconds()))
	})
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

// dialUnix connects to the Unix socket name.
func dialUnix(name string) (*nonblock.Conn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return nonblock.NewConn(conn), nil
}

func callOnce(name string, hello Hello) *nonblock.Conn {
	conn, err := dialUnix(name)
	if err != nil {
		return nil
	}
	if _, _, err := greet(conn, hello, true); err != nil {
		conn.Close()
		return nil
	}
	return conn
}
