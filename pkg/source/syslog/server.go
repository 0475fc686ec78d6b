package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/listen"
)

// Server takes messages from TCP connections. It is a source.Source.
type Server struct {
	Listeners      []net.Listener // each has MaxConnections
	TLS            *tls.Config    // nil: none is spoken
	MaxConnections int
	EventSize      int // most bytes of a message
	BatchSize      int // most events of a batch; 0: as many as come together
	// Parser returns a parser for the messages of one connection.
	Parser func(context.Context, net.Conn) *Parser
}

// Addr implements source.Addresser.
func (s *Server) Addr() net.Addr {
	if len(s.Listeners) == 1 {
		return s.Listeners[0].Addr()
	}
	return addresses(s.Listeners)
}

// addresses are those of several listeners, written with blanks between.
type addresses []net.Listener

func (addresses) Network() string { return "tcp" }

func (a addresses) String() string {
	texts := make([]string, len(a))
	for i, listener := range a {
		texts[i] = listener.Addr().String()
	}
	return strings.Join(texts, " ")
}

// handshakeTime is how long a client may take to begin with TLS.
const handshakeTime = 30 * time.Second

// Run implements source.Source.
func (s *Server) Run(ctx context.Context, put source.Put) error {
	// What a client does wrong is said, but the log is not flooded.
	log := zerolog.Ctx(ctx).Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second})
	ctx, cancel := context.WithCancelCause(log.WithContext(ctx))
	defer cancel(nil)
	serve := func(ctx context.Context, socket net.Conn) {
		defer socket.Close()
		if s.TLS != nil {
			secure := tls.Server(socket, s.TLS)
			hurry, done := context.WithTimeout(ctx, handshakeTime)
			err := secure.HandshakeContext(hurry)
			done()
			if err != nil {
				if ctx.Err() == nil {
					log.Warn().Err(err).Stringer("client", socket.RemoteAddr()).Msg("closed a connection: TLS could not be agreed on")
				}
				return
			}
			socket = secure
		}
		c := newConn(s, socket, put, s.Parser(ctx, socket))
		if err := c.serve(ctx); err != nil {
			cancel(err)
		}
	}
	var listeners sync.WaitGroup
	for _, listener := range s.Listeners {
		listeners.Go(func() {
			if err := listen.Serve(ctx, listener, s.MaxConnections, serve, nil); err != nil {
				cancel(err)
			}
		})
	}
	listeners.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
