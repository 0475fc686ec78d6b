package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
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
func greet(conn *net.UnixConn, mine Hello, dialled bool) (Hello, *bufio.Reader, error) {
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

// caller dials the writer at the other end of a pipe until it is told to stop.
type caller struct {
	cancel context.CancelFunc
	met    chan *net.UnixConn // one value: the connection or nil
}

func call(name string, hello Hello) *caller {
	ctx, cancel := context.WithCancel(context.Background())
	c := &caller{cancel: cancel, met: make(chan *net.UnixConn, 1)}
	go func() {
		// A writer that starts later waits for us at least half a second.
		for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
			if conn := callOnce(name, hello); conn != nil {
				c.met <- conn
				return
			}
			select {
			case <-ctx.Done():
				// The first bytes are there, and their writer may have
				// begun to listen since: one more try decides.
				c.met <- callOnce(name, hello)
				return
			case <-time.After(pause):
			}
		}
	}()
	return c
}

func callOnce(name string, hello Hello) *net.UnixConn {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil
	}
	if _, _, err := greet(conn, hello, true); err != nil {
		conn.Close()
		return nil
	}
	return conn
}

// hangUp ends the dialling and returns the connection, or nil if nobody answered.
func (c *caller) hangUp() *net.UnixConn {
	c.cancel()
	return <-c.met
}
