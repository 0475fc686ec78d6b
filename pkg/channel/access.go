package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

// Access is a process's way into a channel: it has the channel itself, or it is
// a client of the process that has it. A client of a directory's owner becomes
// the owner when that one ends.
type Access struct {
	name   string
	addr   string // of the channel's process, for a client
	socket *Socket
	log    *zerolog.Logger
	about  about // what the options say of a channel of this process's
	looks  bool  // the channel was opened to be looked into

	cancel  context.CancelCauseFunc
	broken  context.Context // done when the channel is of no use any more
	waiting sync.WaitGroup  // for the directory

	channel Channel // this process's own from the start
	server  *Server // its directory's socket

	mu       sync.Mutex
	heir     Channel // the channel that this process took over
	heirs    *Server
	takeover context.CancelFunc
}

// LookAt is Dial for one who only looks into the channel: its process must be there.
func LookAt(ctx context.Context, addr string) (*Access, error) {
	path, err := stream.UnixPath(addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return nil, fault.Hint(fmt.Errorf("no channel listens at %s: %w", addr, err),
			"start its process, or if it has a directory, name that")
	case err == nil:
		conn.Close()
	}
	return Dial(ctx, addr), nil // which tries again where it is busy
}

// Dial returns the access to the channel that listens at addr.
func Dial(ctx context.Context, addr string) *Access {
	a := newAccess(ctx)
	a.addr = addr
	return a
}

// Enter opens the channel that options describe. If that lives in a directory,
// this process becomes its owner, or if another is, that one's client. The name
// is ctx's (component.Name), and so is the logger.
func Enter(ctx context.Context, options Options, open OpenStore) (*Access, error) {
	located, ok := options.(Located)
	if !ok {
		return enterOpen(ctx, options, open)
	}
	return enterDir(ctx, located, open, func(a *Access, path string, _ error) (*Dir, error) {
		a.addr = "unix:" + a.socket.Path()
		a.await(ctx, path, located, open)
		return nil, nil
	})
}

// Own is Enter for one who has to be the owner. For wait at most it waits until no
// other process has the directory; then its error wraps ErrInUse.
func Own(ctx context.Context, options Options, open OpenStore, wait time.Duration) (*Access, error) {
	located, ok := options.(Located)
	if !ok {
		return enterOpen(ctx, options, open)
	}
	return enterDir(ctx, located, open, func(_ *Access, path string, inUse error) (*Dir, error) {
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		dir, err := AwaitDir(waiting, path)
		if errors.Is(err, context.DeadlineExceeded) {
			err = inUse
		}
		return dir, err
	})
}

// enterOpen opens a channel without a directory.
func enterOpen(ctx context.Context, options Options, open OpenStore) (*Access, error) {
	a := newAccess(ctx)
	c, err := options.Open(ctx, open)
	if err != nil {
		return nil, err
	}
	a.about = about{kind: options.Kind(), policy: options.Policy()}
	a.own(c)
	a.announce(c, "", options)
	return a, nil
}

// enterDir opens a channel in its directory. Where another process has that, it is
// said, and taken locks the directory or does without.
func enterDir(ctx context.Context, options Located, open OpenStore, taken func(a *Access, path string, inUse error) (*Dir, error)) (*Access, error) {
	a := newAccess(ctx)
	path, err := options.Directory(ctx)
	if err != nil {
		return nil, err
	}
	if a.socket, err = DirSocket(path); err != nil {
		return nil, err
	}
	dir, err := LockDir(path)
	if errors.Is(err, ErrInUse) {
		a.log.Info().Msgf("channel %s", err)
		dir, err = taken(a, path, err)
	}
	if err == nil && dir != nil {
		var c Channel
		if c, a.server, err = a.openIn(ctx, dir, options, open); err == nil {
			a.own(c)
		}
	}
	if err != nil {
		return nil, errors.Join(err, a.socket.Close())
	}
	return a, nil
}

// patience is how long Look waits for a process that has the directory to serve
// it, or to give it up.
const patience = 10 * time.Second

// Look is Enter for one who only looks into the channel in the directory path: it
// must be there, nothing is said of it, and the directory of another process is not
// taken over. While it is open others are served here. A directory that cannot be
// written can be looked into, too.
func Look(ctx context.Context, path string, options Located, open OpenStore) (*Access, error) {
	if _, err := os.Stat(filepath.Join(path, "format")); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			err = fault.Hint(fmt.Errorf("there is no channel in %s", path), "name the directory of a file channel, or unix:PATH")
		}
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	a := newAccess(ctx)
	a.looks = true
	if a.socket, err = DirSocket(path); err != nil {
		return nil, err
	}
	if err := a.look(ctx, path, options, open); err != nil {
		return nil, errors.Join(err, a.socket.Close())
	}
	return a, nil
}

// look locks the directory, or finds the process that has it.
func (a *Access) look(ctx context.Context, path string, options Located, open OpenStore) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		dir, err := LookDir(path)
		if err == nil {
			var c Channel
			if c, a.server, err = a.openIn(context.WithoutCancel(ctx), dir, options, open); err == nil {
				a.own(c)
			}
			return err
		}
		if !errors.Is(err, ErrInUse) {
			return err
		}
		if conn, dialErr := net.Dial("unix", a.socket.Path()); dialErr == nil {
			a.addr = "unix:" + a.socket.Path()
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w, but nobody answers at its socket", err)
		}
	}
}

// Listen begins to serve this process's own channel at the Unix socket path. A
// logger comes with ctx, which ends nothing else.
func (a *Access) Listen(ctx context.Context, path string) (*Server, error) {
	return listen(ctx, a.channel, a.about, path, a.name)
}

func newAccess(ctx context.Context) *Access {
	a := &Access{name: component.Name(ctx), log: zerolog.Ctx(ctx)}
	a.broken, a.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return a
}

// own notes that c is this process's from the start.
func (a *Access) own(c Channel) {
	a.channel = c
	a.watch(c)
}

// watch makes the failure of c that of the access.
func (a *Access) watch(c Channel) {
	go func() {
		select {
		case <-c.Failed():
			a.cancel(c.Err())
		case <-a.broken.Done():
		}
	}()
}

// openIn opens the channel in a directory of this process's and serves it there.
func (a *Access) openIn(ctx context.Context, dir *Dir, options Located, open OpenStore) (Channel, *Server, error) {
	c, err := options.OpenIn(ctx, dir, open)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the channel in %s: %w", dir.Path(), err)
	}
	a.about = about{kind: options.Kind(), policy: options.Policy(), dir: dir.Path(), guessed: a.looks}
	if !a.looks {
		a.announce(c, dir.Path(), options)
	}
	if dir.readOnly() {
		return c, nil, nil
	}
	server, err := listen(ctx, c, a.about, a.socket.Path(), a.name)
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return c, server, nil
}

// announce says which policy is in force, whatever the level of the log is.
func (a *Access) announce(c Channel, where string, options Options) {
	kind := options.Kind()
	if where != "" {
		kind += " " + where
	}
	held := ""
	if n := c.Len(); n >= 0 {
		held = fmt.Sprintf(", %d held", n)
	}
	component.Notice(a.log).Msgf("channel %s: %s%s", kind, options.Policy(), held)
}

// await takes the directory over when its owner ends.
func (a *Access) await(ctx context.Context, path string, options Located, open OpenStore) {
	ctx, a.takeover = context.WithCancel(context.WithoutCancel(ctx))
	a.waiting.Go(func() {
		dir, err := AwaitDir(ctx, path)
		if err == nil && ctx.Err() != nil {
			err = errors.Join(ctx.Err(), dir.Close())
		}
		if err == nil {
			crashPoint("take-over: locked")
			a.mu.Lock()
			defer a.mu.Unlock()
			a.heir, a.heirs, err = a.openIn(ctx, dir, options, open)
		}
		if err != nil {
			a.cancel(err)
			return
		}
		crashPoint("take-over: open")
		a.watch(a.heir)
	})
}

// Channel returns the channel if it is this process's own from the start, else
// nil.
func (a *Access) Channel() Channel { return a.channel }

// with returns a context that is also done when the channel is of no use any
// more.
func (a *Access) with(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(a.broken, func() { cancel(context.Cause(a.broken)) })
	return ctx, func(err error) {
		stop()
		cancel(err)
	}
}

// Put puts all that from brings into the channel. It returns as Feed
// and Relay do.
func (a *Access) Put(ctx context.Context, from *stream.Reader) (int64, error) {
	ctx, cancel := a.with(ctx)
	defer cancel(nil)
	if a.channel != nil {
		n, err := Feed(ctx, a.channel, from)
		return n, because(ctx, err)
	}
	to, err := stream.DialPut(ctx, a.addr, a.name)
	if err != nil {
		return 0, because(ctx, err)
	}
	n, err := Relay(ctx, from, to)
	if err != nil {
		to.Abort(err)
		return n, because(ctx, err)
	}
	return n, to.Close(ctx)
}

// Take delivers what is in the channel to to, until last is done and the channel
// is empty. It returns as Deliver does.
func (a *Access) Take(ctx, last context.Context, to *stream.Writer) (int64, error) {
	ctx, cancel := a.with(ctx)
	defer cancel(nil)
	if a.channel != nil {
		taker := a.channel.Taker()
		defer taker.Close()
		defer context.AfterFunc(last, taker.Last)()
		n, err := Deliver(ctx, taker, to)
		return n, because(ctx, err)
	}
	// A client says when it connects whether it is to be the last. What it
	// has in hand then is answered first.
	before, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(last, func() { stop(io.EOF) })()
	first, err := a.relay(before, to, false)
	if !errors.Is(context.Cause(before), io.EOF) {
		return first, because(ctx, err)
	}
	rest, err := a.relay(ctx, to, true)
	return first + rest, because(ctx, err)
}

func (a *Access) relay(ctx context.Context, to *stream.Writer, once bool) (int64, error) {
	from, err := stream.DialTake(ctx, a.addr, a.name, once, stream.Bounds{})
	if err != nil {
		return 0, err
	}
	defer from.Close()
	return Relay(ctx, from, to)
}

// because returns the cause for which ctx is done if that is why err came about.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// StopPuts takes no more in from other processes.
func (a *Access) StopPuts() {
	for _, s := range a.servers() {
		s.StopPuts()
	}
}

// servers returns the servers of this process's directory.
func (a *Access) servers() (all []*Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range []*Server{a.server, a.heirs} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

// Close ends the access. A channel of this process's own is closed.
func (a *Access) Close() error {
	if a.takeover != nil {
		a.takeover()
		a.waiting.Wait()
	}
	a.cancel(ErrClosed)
	var err error
	for _, s := range a.servers() {
		s.StopPuts()
		s.Close()
	}
	for _, c := range []Channel{a.channel, a.heir} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	if a.socket != nil {
		err = errors.Join(err, a.socket.Close())
	}
	return err
}

// Address returns the path of the directory or the address of the socket that
// word names: a channel's ADDR.
func Address(word string) (dir, addr string, err error) {
	switch {
	case word == "":
		return "", "", fault.Hint(errors.New("no channel is named"), "write a channel's directory, or unix:PATH")
	case strings.HasPrefix(word, "unix:"):
		_, err := stream.UnixPath(word)
		return "", word, err
	case strings.Contains(word, "://"):
		return "", "", fault.Hint(fmt.Errorf("%q is not the address of a channel", word), "write a channel's directory, or unix:PATH")
	}
	return word, "", nil
}
