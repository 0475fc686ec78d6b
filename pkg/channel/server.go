package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/flumekit/flumekit/pkg/stream"
)

// Server lets other processes put into a channel, take out of it and look into
// it, over a Unix socket.
type Server struct {
	channel  Channel
	about    about
	listener *stream.Listener
	log      *zerolog.Logger

	puts     context.Context // done when no more is taken in
	stopPuts context.CancelFunc
	all      context.Context // done when the server ends
	stopAll  context.CancelFunc
	work     sync.WaitGroup

	mu      sync.Mutex
	putters sync.WaitGroup                   // grows under mu, while puts is not done
	takers  map[*stream.Conn]<-chan struct{} // under mu: closed when all that the taker had is given back
}

// listen begins to serve c, which about describes, at the Unix socket path. Name is
// the channel's, for the other ends' messages. A logger comes with ctx, which ends
// nothing else.
func listen(ctx context.Context, c Channel, about about, path, name string) (*Server, error) {
	listener, err := stream.Listen(path, name, c.Bounds())
	if err != nil {
		return nil, err
	}
	s := &Server{channel: c, about: about, listener: listener, log: zerolog.Ctx(ctx), takers: make(map[*stream.Conn]<-chan struct{})}
	s.all, s.stopAll = context.WithCancel(context.WithoutCancel(ctx))
	s.puts, s.stopPuts = context.WithCancel(s.all)
	s.work.Go(s.accept)
	return s, nil
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		switch {
		case err != nil: // the listener was closed
			return
		case conn.Hello.Role == stream.Put:
			if !s.enterPutter() {
				conn.Close()
				continue
			}
			s.work.Go(func() {
				defer s.putters.Done()
				s.ended(conn, s.takeIn(conn.Reader()))
			})
		case conn.Hello.Role == stream.Ask:
			s.work.Go(func() { s.ended(conn, s.answer(conn)) })
		default:
			gone, leave := s.enterTaker(conn)
			s.work.Go(func() {
				defer leave()
				for _, given := range gone {
					<-given
				}
				s.ended(conn, s.giveOut(conn))
			})
		}
	}
}

// enterPutter counts a putter, if any are still let in.
func (s *Server) enterPutter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.puts.Err() != nil {
		return false
	}
	s.putters.Add(1)
	return true
}

// enterTaker counts a taker until leave is called. It returns what is closed when
// the takers that have gone unnoticed have given back what they had: a taker
// that was killed and started again would get what comes after it, else.
func (s *Server) enterTaker(conn *stream.Conn) (gone []<-chan struct{}, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, given := range s.takers {
		if other.Deserted() {
			gone = append(gone, given)
		}
	}
	given := make(chan struct{})
	s.takers[conn] = given
	return gone, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.takers, conn)
		close(given)
	}
}

// ended logs how a connection ended, if that says anything.
func (s *Server) ended(conn *stream.Conn, err error) {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, stream.ErrDied), errors.Is(err, ErrClosed), errors.Is(err, unix.EPIPE), errors.Is(err, net.ErrClosed):
		s.log.Debug().Str("peer", conn.Hello.Name).Err(err).Msg("a connection has ended")
	default:
		s.log.Warn().Str("peer", conn.Hello.Name).Err(err).Msg("a connection has failed")
	}
}

func (s *Server) takeIn(from *stream.Reader) error {
	defer from.Close()
	_, err := Feed(s.puts, s.channel, from)
	return err
}

// farewell is how long a taker may take to hear that the stream has ended.
const farewell = 5 * time.Second

func (s *Server) giveOut(conn *stream.Conn) error {
	to := conn.Writer()
	taker := s.channel.Taker()
	defer taker.Close()
	if conn.Hello.Once {
		taker.Last()
	}
	// A last taker that has everything gets a clean end, also when the server
	// ends at this moment: nobody may ever tell it otherwise.
	served := func() bool { return conn.Hello.Once && s.channel.Len() == 0 }
	stop := context.AfterFunc(s.all, func() {
		if !served() {
			to.Abort(ErrClosed)
		}
	})
	defer stop()
	_, err := Deliver(s.all, taker, to)
	if err == nil && conn.Hello.Once || served() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.all), farewell)
		defer cancel()
		return to.Close(ctx)
	}
	// Without a clean end the reader knows that there may be more, and
	// finds the channel's next process.
	to.Abort(io.ErrUnexpectedEOF)
	return err
}

// StopPuts takes no more in: it ends the connections of putters, once what they
// have in hand is answered. Takers go on.
func (s *Server) StopPuts() {
	s.mu.Lock()
	s.stopPuts()
	s.mu.Unlock()
	s.putters.Wait()
}

// Close ends all connections. Batches that takers have not committed go back
// into the channel.
func (s *Server) Close() {
	s.listener.Close()
	s.stopAll()
	s.work.Wait()
}
