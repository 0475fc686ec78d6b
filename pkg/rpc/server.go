package rpc

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/nonblock"
)

// MaxRequest is the most bytes of a request that a Server takes by default.
const MaxRequest = 64 << 20

// answerTime is how long a stopping server waits for a client that does not
// take its answer.
const answerTime = 5 * time.Second

// Server answers clients. Its fields are not to be changed once it serves.
type Server struct {
	// Append takes the events of one request; nil is answered with OK, any
	// error with FAILED. The requests of one connection come one at a time
	// and in order. The batch is valid until Append returns.
	Append func(b *event.Batch) error
	// MaxEvents is the most events that Append commits as one, 0 if nobody
	// knows; nil is the same. A Client of this package is told it, and may
	// then send more than its BatchSize was.
	MaxEvents func() int
	// Compression says that clients compress.
	Compression Compression
	// TLS is what clients have to speak, nil if they do not.
	TLS *tls.Config
	// Admit says whether a client may connect; nil admits all.
	Admit func(client net.Addr) bool
	// MaxRequest bounds the bytes of a request; 0 is MaxRequest.
	MaxRequest int
	// MaxConnections bounds the clients at a time; 0 is no bound.
	MaxConnections int

	mu     sync.Mutex
	hashes map[hash]bool // protocols of clients that were found to be Flume's
}

// Serve answers clients of l until ctx is done, and closes l. The requests that
// are read by then are answered. A logger comes with ctx.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()

	// A client's mistakes are its own to mend: the log is not flooded.
	log := zerolog.Ctx(ctx).Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second})
	var places chan struct{}
	if s.MaxConnections > 0 {
		places = make(chan struct{}, s.MaxConnections)
	}
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting connections: %w", err)
		case err != nil: // out of descriptors, most likely: those in use come back
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			log.Warn().Err(err).Dur("pause", pause).Msg("cannot accept a connection")
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			continue
		}
		pause = 0
		if places != nil {
			select {
			case places <- struct{}{}:
			default:
				conn.Close()
				log.Warn().Stringer("client", conn.RemoteAddr()).Msgf("turned a client away: there are %d already", s.MaxConnections)
				continue
			}
		}
		clients.Go(func() {
			if places != nil {
				defer func() { <-places }()
			}
			defer conn.Close()
			if err := s.serve(ctx, conn, log); err != nil {
				log.Warn().Err(err).Stringer("client", conn.RemoteAddr()).Msg("closed a connection")
			}
		})
	}
}

// serve answers one client until it leaves. The error is the client's mistake.
func (s *Server) serve(ctx context.Context, raw net.Conn, log zerolog.Logger) error {
	if s.Admit != nil && !s.Admit(raw.RemoteAddr()) {
		return errors.New("the client is not admitted")
	}
	defer context.AfterFunc(ctx, func() {
		raw.SetReadDeadline(time.Unix(1, 0))
		raw.SetWriteDeadline(time.Now().Add(answerTime))
	})()
	conn, in, err := s.layers(nonblock.NewConn(raw))
	if err == nil {
		c := &client{server: s, conn: conn, in: in, log: log}
		defer conn.Close()
		err = c.serve(ctx)
	}
	if left(err) || ctx.Err() != nil {
		return nil
	}
	return err
}

// left reports whether err is what a client's leaving looks like, which may
// happen at any time.
func left(err error) bool {
	var op *net.OpError
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op)
}

// What the bytes of a client begin with.
const (
	tlsByte  = 0x16 // a handshake record
	zlibByte = 0x08 // in the low half: deflate
)

// layers puts TLS and compression around raw. With both, the client's first
// byte says which of them is outside.
func (s *Server) layers(raw net.Conn) (net.Conn, *bufio.Reader, error) {
	in := bufio.NewReaderSize(raw, readBuffer)
	first, err := in.Peek(1)
	if err != nil {
		return nil, nil, err
	}
	var conn net.Conn = &peeked{Conn: raw, in: in}
	secure := first[0] == tlsByte
	packed := !secure && first[0]&0x0f == zlibByte
	switch {
	case s.TLS == nil && secure:
		return nil, nil, errors.New("the client speaks TLS, and ssl is false")
	case s.Compression == None && packed:
		return nil, nil, errors.New("the client compresses, and compression-type is none")
	case s.TLS != nil && !secure && (s.Compression == None || !packed):
		return nil, nil, errors.New("the client does not speak TLS, and ssl is true")
	case s.TLS == nil && s.Compression == Deflate && !packed:
		return nil, nil, errors.New("the client does not compress, and compression-type is deflate")
	case s.TLS == nil && s.Compression == None:
		return raw, in, nil
	}
	if packed {
		if conn, err = deflate(conn, serverLevel); err != nil {
			return nil, nil, err
		}
	}
	if s.TLS != nil {
		conn = tls.Server(conn, s.TLS)
	}
	if s.Compression == Deflate && !packed {
		if conn, err = deflate(conn, serverLevel); err != nil {
			return nil, nil, err
		}
	}
	return conn, bufio.NewReaderSize(conn, readBuffer), nil
}

// serverLevel is how well answers are compressed, which are short.
const serverLevel = 6

// peeked is a connection of which something was read ahead.
type peeked struct {
	net.Conn
	in *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.in.Read(b) }

// client is one client of a server.
type client struct {
	server *Server
	conn   net.Conn
	in     *bufio.Reader
	log    zerolog.Logger

	greeted bool
	foreign error // why the client's protocol is not Flume's
	request []byte
	reply   []byte
	batch   event.Batch
	events  eventReader
}

func (c *client) serve(ctx context.Context) error {
	most := c.server.MaxRequest
	if most == 0 {
		most = MaxRequest
	}
	for ctx.Err() == nil {
		serial, request, err := readFrame(c.in, c.request, most)
		if err != nil {
			return err
		}
		c.reply = beginFrame(c.reply, serial)
		if err := c.answer(&decoder{rest: request}); err != nil {
			return err
		}
		endFrame(c.reply)
		if _, err := c.conn.Write(c.reply); err != nil {
			return err
		}
		if c.foreign != nil {
			return c.foreign
		}
		if c.request = keep(request); c.request == nil {
			c.batch = event.Batch{}
		}
	}
	return nil
}

// answer does what the request asks for and appends the response to c.reply. An
// error ends the connection.
func (c *client) answer(d *decoder) error {
	if !c.greeted {
		h := d.handshake()
		if d.err != nil {
			return d.err
		}
		m, err := c.server.greet(h)
		if err != nil {
			// A request of its own protocol can be neither read nor answered, but
			// with this any client of Avro's shows the reason.
			c.foreign = err
			c.reply = appendMatch(c.reply, matchClient, 0)
			c.refuse("org.apache.avro.AvroRuntimeException: " + err.Error())
			return nil
		}
		bound := 0
		if h.asks && c.server.MaxEvents != nil {
			bound = c.server.MaxEvents()
		}
		c.reply = appendMatch(c.reply, m, bound)
		if m == matchNone {
			return nil
		}
		c.greeted = true
	}
	d.skipMap()
	name := string(d.bytes())
	if d.err == nil && name == "" {
		return nil // a ping
	}
	c.batch.Reset()
	switch {
	case d.err != nil:
	case name == appendName:
		c.events.one(d, &c.batch)
	case name == appendBatchName:
		c.events.array(d, &c.batch)
	default:
		c.refuse("org.apache.avro.AvroRuntimeException: No such remote message: " + name)
		return nil
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("%d bytes after the request's end", len(d.rest))
	}
	if d.err != nil {
		c.log.Warn().Err(d.err).Stringer("client", c.conn.RemoteAddr()).Msg("refused a request")
		c.refuse("org.apache.avro.AvroRuntimeException: " + d.err.Error())
		return nil
	}
	status := OK
	if c.batch.Len() > 0 {
		if err := c.server.Append(&c.batch); err != nil {
			c.log.Warn().Err(err).Stringer("client", c.conn.RemoteAddr()).Int("events", c.batch.Len()).Msg("Unable to process event batch.")
			status = Failed
		}
	}
	c.reply = append(c.reply, 0, 0, byte(status)<<1) // no metadata, no error, the status
	return nil
}

// refuse appends a response that is an error of the protocol's own.
func (c *client) refuse(text string) {
	c.reply = append(c.reply, 0, 1, 0) // no metadata, an error, which is a string
	c.reply = appendString(c.reply, text)
}

// maxHashes bounds the clients' protocols that are remembered.
const maxHashes = 64

// greet says what a client's handshake comes to.
func (s *Server) greet(h handshake) (match, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !h.client.known() && !s.hashes[h.client] {
		if h.text == "" {
			return matchNone, nil
		}
		if err := checkProtocol(h.text); err != nil {
			return matchNone, err
		}
		if s.hashes == nil || len(s.hashes) == maxHashes {
			s.hashes = make(map[hash]bool)
		}
		s.hashes[h.client] = h.client.names(h.text)
	}
	if h.server.known() {
		return matchBoth, nil
	}
	return matchClient, nil
}
