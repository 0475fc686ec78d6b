package rpc

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/nonblock"
)

// maxReply bounds an answer, of which a server's protocol is the longest part.
const maxReply = maxProtocol + 4<<10

// readBuffer is how much a connection reads at a time.
const readBuffer = 64 << 10

// connection is the client of one server, and its connection while there is one.
type connection struct {
	opt    *Options
	server string
	tls    *tls.Config

	life context.Context // done once the client is closed
	end  context.CancelCauseFunc

	turn chan struct{} // holds the call under way, which has what follows
	conn net.Conn      // nil if there is none
	free func() bool   // ends conn's tie to life
	in   *bufio.Reader

	most atomic.Int64 // events in one request

	out, reply []byte
	serial     uint32
	greeted    bool // the handshake is done
}

func newConnection(opt *Options, server string) (*connection, error) {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	config, err := opt.TLS.Config(host)
	if err != nil {
		return nil, err
	}
	c := &connection{opt: opt, server: server, tls: config, turn: make(chan struct{}, 1)}
	c.life, c.end = context.WithCancelCause(context.Background())
	c.most.Store(int64(opt.MaxEvents()))
	return c, nil
}

// together is the most batches of batch-size that go in one request to a server of
// ours. A request costs as much as a hundred events, for the turn it takes; but one
// that is too large waits the longer for room in a channel that is nearly full.
const together = 8

func (c *connection) BatchSize() int { return int(c.most.Load()) }

func (c *connection) Append(ctx context.Context, e event.Event) error {
	return c.call(ctx, func(dst []byte) []byte {
		return appendEvent(appendString(dst, appendName), e)
	})
}

// AppendBatch sends one request after the other is answered: a server of
// Flume's works on several at a time, in any order.
func (c *connection) AppendBatch(ctx context.Context, b *event.Batch) error {
	for part := range b.Split(c.BatchSize()) {
		err := c.call(ctx, func(dst []byte) []byte {
			return appendEvents(appendString(dst, appendBatchName), part)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) Close() error {
	c.end(ErrClosed)
	c.turn <- struct{}{}
	c.drop()
	<-c.turn
	return nil
}

// call sends a request and returns nil if it is answered with OK.
func (c *connection) call(ctx context.Context, request func(dst []byte) []byte) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.life.Err() != nil {
		return ErrClosed
	}
	err := c.try(ctx, request)
	var status *StatusError
	var remote *RemoteError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status), errors.As(err, &remote):
		return fmt.Errorf("%s: %w", c.server, err)
	}
	c.drop()
	for _, over := range []context.Context{c.life, ctx} {
		if over.Err() != nil {
			err = context.Cause(over)
		}
	}
	return fmt.Errorf("%s: %w", c.server, err)
}

// try connects if need be, sends the request and reads the answer.
func (c *connection) try(ctx context.Context, request func(dst []byte) []byte) error {
	if c.conn == nil {
		if err := c.dial(ctx); err != nil {
			return err
		}
	}
	limit := timeout(c.opt.RequestTimeout)
	c.conn.SetDeadline(time.Now().Add(limit))
	tied := context.AfterFunc(ctx, c.interrupt(c.conn))
	err := c.exchange(request)
	if !tied() {
		c.drop() // its deadline may be spoilt at any moment
	}
	switch {
	case err == nil:
		return nil
	case isTimeout(err):
		return &timeoutError{fmt.Sprintf("RPC request timed out after %v", limit)}
	case !c.greeted:
		return fault.Hint(cause(err), layersHint)
	}
	return cause(err)
}

// layersHint is what to look at where a server has not answered yet.
const layersHint = "see that ssl, compression-type and, with both, compression-order are those of the server, and that it admits this client and a request of this size"

// timeoutError is an error of connect-timeout or request-timeout.
type timeoutError struct{ text string }

func (e *timeoutError) Error() string { return e.text }
func (e *timeoutError) Unwrap() error { return os.ErrDeadlineExceeded }

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// interrupt returns a function that ends all that conn is doing.
func (*connection) interrupt(conn net.Conn) func() {
	return func() { conn.SetDeadline(time.Unix(1, 0)) }
}

// dial connects, and speaks TLS and compresses as the options say.
func (c *connection) dial(ctx context.Context) error {
	limit := timeout(c.opt.ConnectTimeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", c.server)
	switch {
	case isTimeout(err):
		return &timeoutError{fmt.Sprintf("RPC connection error: no connection within %v", limit)}
	case err != nil:
		return fmt.Errorf("RPC connection error: %w", cause(err))
	}
	conn, err := c.layers(ctx, nonblock.NewConn(raw))
	if err != nil {
		raw.Close()
		if isTimeout(err) || ctx.Err() != nil {
			return &timeoutError{fmt.Sprintf("RPC connection error: no TLS within %v", limit)}
		}
		return fault.Hint(fmt.Errorf("RPC connection error: %w", cause(err)), layersHint)
	}
	c.conn, c.in = conn, bufio.NewReaderSize(conn, readBuffer)
	c.serial, c.greeted = 0, false
	c.free = context.AfterFunc(c.life, c.interrupt(conn))
	return nil
}

// cause returns what went wrong without the addresses, of which the server's
// stands before it anyway and our own is another each time.
func cause(err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Err != nil && op.Op != "remote error":
		return op.Err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the server closed the connection: %w", err)
	}
	return err
}

func (c *connection) layers(ctx context.Context, conn net.Conn) (net.Conn, error) {
	var err error
	outside := c.tls == nil || c.opt.Order == Outside
	if c.opt.Compression == Deflate && outside {
		if conn, err = deflate(conn, int(c.opt.Level)); err != nil {
			return nil, err
		}
	}
	if c.tls != nil {
		secure := tls.Client(conn, c.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	if c.opt.Compression == Deflate && !outside {
		return deflate(conn, int(c.opt.Level))
	}
	return conn, nil
}

// drop gives the connection up.
func (c *connection) drop() {
	if c.conn == nil {
		return
	}
	c.free()
	c.conn.Close()
	c.conn, c.in = nil, nil
	c.most.Store(int64(c.opt.MaxEvents()))
}

// exchange sends the request and reads the answer. The first request of a
// connection begins with the handshake; a server that does not know our
// protocol has it sent again with that.
func (c *connection) exchange(request func(dst []byte) []byte) error {
	ours, text, theirs := flumeHash, "", flumeHash
	for {
		c.serial++
		c.out = beginFrame(c.out, c.serial)
		if !c.greeted {
			c.out = appendHandshake(c.out, ours, text, theirs)
		}
		c.out = append(c.out, 0) // no metadata
		c.out = request(c.out)
		endFrame(c.out)
		_, err := c.conn.Write(c.out)
		c.out = keep(c.out)
		if err != nil {
			return err
		}
		d, err := c.read()
		if err != nil {
			return err
		}
		if c.greeted {
			return d.status()
		}
		a := d.answer()
		if d.err == nil && a.text != "" {
			err = checkProtocol(a.text)
		}
		switch {
		case d.err != nil:
			return d.err
		case err != nil:
			return err
		case a.match != matchNone:
			c.greeted = true
			size := c.opt.MaxEvents()
			c.most.Store(int64(max(size, min(together*size, a.bound))))
			return d.status()
		case text != "":
			return fmt.Errorf("%w: the server does not accept our protocol", ErrMalformed)
		}
		ours, text, theirs = ourHash, protocol, a.hash
	}
}

// read reads the frame that answers the last one sent.
func (c *connection) read() (*decoder, error) {
	serial, reply, err := readFrame(c.in, c.reply, maxReply)
	if err != nil {
		return nil, unexpected(err)
	}
	c.reply = reply
	if serial != c.serial {
		return nil, fmt.Errorf("%w: an answer to request %d, after request %d", ErrMalformed, serial, c.serial)
	}
	return &decoder{rest: reply}, nil
}

// status reads a response and returns nil if it is OK.
func (d *decoder) status() error {
	d.skipMap()
	failed := d.take(1)
	switch {
	case d.err != nil:
		return d.err
	case failed[0] == 1:
		if branch := d.long(); branch != 0 {
			d.fail("an error of kind %d", branch)
		}
		text := string(d.bytes())
		if d.err != nil {
			return d.err
		}
		return &RemoteError{Text: text}
	case failed[0] > 1:
		d.fail("%d where true or false was expected", failed[0])
	}
	status := Status(d.long())
	if d.err == nil && (status < OK || status > Unknown) {
		d.fail("the answer %v", status)
	}
	switch {
	case d.err != nil:
		return d.err
	case status != OK:
		return &StatusError{Status: status}
	}
	return nil
}
