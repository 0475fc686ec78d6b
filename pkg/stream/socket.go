package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/nonblock"
)

// firstDialTime is how long the first dial waits for somebody to listen.
const firstDialTime = 10 * time.Second

// UnixPath returns the path in an address of the form unix:PATH.
func UnixPath(addr string) (string, error) {
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok || path == "" {
		return "", fault.Hint(fmt.Errorf("%q is not a socket's address", addr), "write unix:PATH")
	}
	return path, nil
}

// Listener takes connections of writers and readers on a Unix socket.
type Listener struct {
	unix   *net.UnixListener
	hello  Hello
	path   string
	made   os.FileInfo // of path, by which it is known again
	conns  chan *Conn  // that have been greeted
	closed chan struct{}
	once   sync.Once
}

// Listen listens on the Unix socket path, which only this user may use. bounds
// is what writers are told of the batches taken here. A socket that a killed
// process left behind is replaced; one on which somebody listens is an error.
func Listen(path, name string, bounds Bounds) (*Listener, error) {
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	l, err := net.ListenUnix("unix", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		if conn, dialErr := net.DialUnix("unix", nil, addr); dialErr == nil {
			conn.Close()
			return nil, fmt.Errorf("listening on unix:%s: another process does", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("removing the socket of a process that is gone: %w", err)
		}
		l, err = net.ListenUnix("unix", addr)
	}
	if err != nil {
		err = fmt.Errorf("listening on unix:%s: %w", path, err)
		if errors.Is(err, syscall.EINVAL) && len(path) > 100 {
			err = fault.Hint(err, "a socket's path may have 107 bytes at most; this one has %d", len(path))
		}
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by then the path may be another's
	info, err := os.Stat(path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("keeping others from unix:%s: %w", path, err)
	}
	listener := &Listener{
		unix:   l,
		hello:  Hello{Name: name, Asks: askVersion, Bounds: bounds.orDefaults()},
		path:   path,
		made:   info,
		conns:  make(chan *Conn),
		closed: make(chan struct{}),
	}
	go listener.accept()
	return listener, nil
}

// acceptPause is how long the listener rests when the system gives it no
// connection: it has too many files open.
const acceptPause = 100 * time.Millisecond

// accept greets connections, each by itself: one that says nothing holds up no
// other.
func (l *Listener) accept() {
	for {
		conn, err := l.unix.AcceptUnix()
		if err == nil {
			go l.greet(nonblock.NewConn(conn))
			continue
		}
		select {
		case <-time.After(acceptPause):
		case <-l.closed:
			return
		}
	}
}

// greet passes on a connection whose hello is in order.
func (l *Listener) greet(conn *nonblock.Conn) {
	theirs, r, err := greet(conn, l.hello, false)
	if err != nil || (theirs.Role != Put && theirs.Role != Take && theirs.Role != Ask) {
		conn.Close() // not ours, or a look whether somebody listens
		return
	}
	select {
	case l.conns <- &Conn{Hello: theirs, conn: conn, from: r, bounds: l.hello.Bounds}:
	case <-l.closed:
		conn.Close()
	}
}

// Accept returns the next connection whose hello is in order, and ErrClosed after
// Close.
func (l *Listener) Accept() (*Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, ErrClosed
	}
}

// Close stops the listening and removes the socket. Connections go on.
func (l *Listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		if now, err := os.Stat(l.path); err == nil && os.SameFile(now, l.made) {
			os.Remove(l.path)
		}
	})
	return l.unix.Close()
}

// Conn is a connection that somebody dialled. One of Reader (for Put), Writer
// (for Take), Replier (for Ask) and Close is called, once; Deserted at any time.
type Conn struct {
	Hello  Hello // the other end's
	conn   *nonblock.Conn
	from   *bufio.Reader
	bounds Bounds
}

// Reader returns the reader of what a writer that dialled with Put sends.
func (c *Conn) Reader() *Reader {
	r := newReader(c.bounds)
	r.run(func() error {
		stop := context.AfterFunc(r.ctx, func() { c.conn.Close() })
		defer stop()
		defer c.conn.Close()
		return r.frames(c.from, &answers{conn: c.conn})
	})
	return r
}

// Writer returns the writer to a reader that dialled with Take.
func (c *Conn) Writer() *Writer {
	w := newWriter(c.Hello.Name, func() {})
	w.write.Lock()
	defer w.write.Unlock()
	w.start(&link{data: c.conn, answers: c.from, bounds: c.Hello.Bounds, close: func() { c.conn.Close() }})
	return w
}

// Deserted reports whether nobody has the other end any more, or this end is
// closed. It may be called at any time, also while answers that the other end
// left behind have not been read.
func (c *Conn) Deserted() bool { return polled(c.conn, 0, 0) }

// Close closes a connection that is not wanted.
func (c *Conn) Close() error { return c.conn.Close() }

// DialPut returns a Writer to the channel that listens at addr, once it is
// connected for the first time: it waits some seconds for somebody to listen.
// If the connection is lost, the Writer dials again for as long as it is open
// and sends what was not answered once more.
func DialPut(ctx context.Context, addr, name string) (*Writer, error) {
	path, err := UnixPath(addr)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context) (*link, error) {
		conn, theirs, from, err := dialUntil(ctx, path, Hello{Role: Put, Name: name})
		if err != nil {
			return nil, err
		}
		return &link{data: conn, answers: from, bounds: theirs.Bounds, close: func() { conn.Close() }}, nil
	}
	l, err := firstDial(ctx, addr, dial)
	if err != nil {
		return nil, err
	}
	w := newWriter("the channel at "+addr, func() {})
	w.dial = dial
	w.write.Lock()
	defer w.write.Unlock()
	w.start(l)
	return w, nil
}

// DialTake returns a Reader of the channel that listens at addr, as DialPut
// does. With once the stream ends when the channel is empty. If the connection
// is lost, what was not committed comes again.
func DialTake(ctx context.Context, addr, name string, once bool, bounds Bounds) (*Reader, error) {
	path, err := UnixPath(addr)
	if err != nil {
		return nil, err
	}
	r := newReader(bounds)
	type taking struct {
		conn *nonblock.Conn
		from *bufio.Reader
	}
	dial := func(ctx context.Context) (taking, error) {
		conn, _, from, err := dialUntil(ctx, path, Hello{Role: Take, Name: name, Once: once, Bounds: r.bounds})
		return taking{conn, from}, err
	}
	t, err := firstDial(ctx, addr, dial)
	if err != nil {
		return nil, err
	}
	r.run(func() error {
		for {
			a, conn := &answers{conn: t.conn}, t.conn
			stop := context.AfterFunc(r.ctx, func() { conn.Close() })
			err := r.frames(t.from, a)
			a.breakOff()
			stop()
			t.conn.Close()
			if err == nil || r.ctx.Err() != nil || errors.Is(err, ErrClosed) {
				return err
			}
			for d := r.Poll(); d != nil; d = r.Poll() {
				d.Commit() // makes room and tells nobody; it comes again
			}
			if t, err = dial(r.ctx); err != nil {
				return err
			}
		}
	})
	return r, nil
}

// firstDial dials for as long as somebody may still be about to listen.
func firstDial[T any](ctx context.Context, addr string, dial func(context.Context) (T, error)) (T, error) {
	first, cancel := context.WithTimeout(ctx, firstDialTime)
	defer cancel()
	t, err := dial(first)
	if err != nil && ctx.Err() == nil {
		err = fault.Hint(fmt.Errorf("connecting to the channel at %s: %w", addr, err),
			"start it with: fchan memory --listen %s", addr)
	}
	return t, err
}

// dialUntil dials path until it is connected or ctx is done; then it returns
// the last attempt's error.
func dialUntil(ctx context.Context, path string, mine Hello) (*nonblock.Conn, Hello, *bufio.Reader, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		conn, err := dialUnix(path)
		if err == nil {
			var theirs Hello
			var from *bufio.Reader
			if theirs, from, err = greet(conn, mine, true); err == nil {
				return conn, theirs, from, nil
			}
			conn.Close()
		}
		select {
		case <-ctx.Done():
			return nil, Hello{}, nil, err
		case <-time.After(pause):
		}
	}
}
