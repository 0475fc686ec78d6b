package syslog

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/source"
)

const (
	// A connection's buffer starts small, for the many that are idle, and
	// grows as long as reads fill it. The large one holds some thousand
	// messages: more in one batch gains nothing.
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10
)

// DrainTime is how long a source that is asked to stop goes on to take what the
// system has received: the senders believe that it has arrived.
const DrainTime = 200 * time.Millisecond

// conn takes the messages of one connection.
type conn struct {
	socket net.Conn
	put    source.Put
	parser *Parser
	split  Splitter
	most   int // events of a batch; 0: no bound

	buf []byte // buf[:n] was read and not yet taken
	n   int
	// While one batch is being committed, the other is filled.
	batches [2]event.Batch
	commits [2]source.Commit // nil: it is not under way
	filling int
}

func newConn(s *Server, socket net.Conn, put source.Put, parser *Parser) *conn {
	most := put.MaxEvents()
	if s.BatchSize > 0 && (most == 0 || s.BatchSize < most) {
		most = s.BatchSize
	}
	return &conn{socket: socket, put: put, parser: parser, split: Splitter{Size: s.EventSize}, most: most}
}

// serve takes messages until the sender leaves, or DrainTime after ctx is done
// and what was read before is on its way. It returns an error if they cannot be
// committed.
//
// Flume: what the channel refuses is dropped; here the sender has to wait,
// since nothing is read meanwhile.
func (c *conn) serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { c.socket.SetReadDeadline(time.Now().Add(DrainTime)) })()
	for draining := false; ; {
		if !draining && ctx.Err() != nil {
			draining = true // the time may have gone by in waiting for a commit
			c.socket.SetReadDeadline(time.Now().Add(DrainTime))
		}
		readErr := c.read()
		c.parser.At(time.Now())
		err := c.take()
		if readErr != nil && err == nil {
			err = c.takeRest(!errors.Is(readErr, io.EOF))
		}
		if err != nil || readErr != nil {
			return errors.Join(err, c.wait(0), c.wait(1))
		}
	}
}

// read reads what there is into the buffer, which it makes larger when that
// seems worth it.
func (c *conn) read() error {
	if c.n == len(c.buf) {
		c.buf = append(c.buf, make([]byte, max(smallBuffer, len(c.buf)))...)
	}
	n, err := c.socket.Read(c.buf[c.n:])
	c.n += n
	if c.n == len(c.buf) && c.n < largeBuffer {
		c.buf = append(c.buf, make([]byte, 3*len(c.buf))...)
	}
	return err
}

// take puts the messages that are whole on their way.
func (c *conn) take() error {
	taken := 0
	for taken < c.n {
		msg, n, cut := c.split.Next(c.buf[taken:c.n])
		if n == 0 {
			break
		}
		taken += n
		if err := c.message(msg, cut); err != nil {
			return err
		}
	}
	c.n = copy(c.buf, c.buf[taken:c.n])
	return c.begin()
}

// takeRest puts what is left on its way, when no more comes. It is cut if the
// sender did not end the connection.
func (c *conn) takeRest(cut bool) error {
	for rest := c.buf[:c.n]; len(rest) > 0; {
		msg, n, part := c.split.Rest(rest)
		rest = rest[n:]
		if err := c.message(msg, part || cut); err != nil {
			return err
		}
	}
	return c.begin()
}

func (c *conn) message(msg []byte, cut bool) error {
	if len(msg) == 0 {
		return nil
	}
	batch := &c.batches[c.filling]
	c.parser.Append(batch, msg, cut)
	if batch.Len() == c.most {
		return c.begin()
	}
	return nil
}

// begin puts the batch on its way, and waits until the other may be filled.
func (c *conn) begin() error {
	batch := &c.batches[c.filling]
	if batch.Len() == 0 {
		return nil
	}
	c.commits[c.filling] = c.put.Begin(batch)
	c.filling = 1 - c.filling
	return c.wait(c.filling)
}

// wait waits for the commit of a batch, and empties it.
func (c *conn) wait(i int) error {
	if c.commits[i] == nil {
		return nil
	}
	err := c.commits[i].Wait()
	c.commits[i] = nil
	c.batches[i].Reset()
	return err
}
