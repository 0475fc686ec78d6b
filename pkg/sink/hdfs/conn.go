package hdfs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// nodeConn is a connection to a name node. A call that takes longer than bound
// breaks it: the answer that came too late would be taken for the next call's.
type nodeConn struct {
	net.Conn
	bound  time.Duration
	broken error // by what; writes say that too, and not that it is closed
}

func (c *nodeConn) Read(p []byte) (int, error) {
	if c.bound > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.bound)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no answer within %d ms: %w", c.bound.Milliseconds(), err)
		}
		c.broken = err
		c.Close()
	}
	return n, err
}

func (c *nodeConn) Write(p []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	if c.bound > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.bound)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// blockConn is a connection to the first of the data nodes that write a block.
// It listens in on what passes, because the client's Flush sends the last
// packet and does not wait for the answer: here one can.
//
// A packet is one write: its length (4 bytes), its header's length (2 bytes),
// and the header, whose field 2 is the packet's number. The answers are
// messages with their length before them: one for the request to write the
// block, then one for each packet, whose field 1 is its number and whose field
// 2 is there once for each copy.
type blockConn struct {
	net.Conn

	mu       sync.Mutex
	news     chan struct{} // closed when one of those below changes, and made anew
	plain    bool          // the request was seen, and nothing is encrypted
	sent     int64         // number of the last packet
	answered int64         // number of the last one that all nodes have
	copies   int           // that it has
	begun    bool          // the request was answered
	open     bool          // with yes, and the connection was not closed since
	rest     []byte        // of an answer
	err      error
}

func newBlockConn(c net.Conn) *blockConn {
	return &blockConn{Conn: c, news: make(chan struct{}), copies: -1}
}

func (c *blockConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.plain {
		if number, ok := packetNumber(p); ok && number > c.sent {
			c.sent = number
		}
	} else if len(p) > 3 && p[0] == 0 && p[1] == 28 && p[2] == 80 { // version 28, write block
		c.plain = true
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// packetNumber returns the number of the packet that p is.
func packetNumber(p []byte) (int64, bool) {
	if len(p) < 6 {
		return 0, false
	}
	length := int(binary.BigEndian.Uint16(p[4:]))
	if len(p) < 6+length {
		return 0, false
	}
	var number int64
	found := false
	err := eachField(p[6:6+length], func(field protowire.Number, kind protowire.Type, value uint64) {
		if field == 2 && kind == protowire.Fixed64Type {
			number, found = int64(value), true
		}
	})
	return number, found && err == nil
}

func (c *blockConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plain && n > 0 {
		c.rest = append(c.rest, p[:n]...)
		c.take()
	}
	if err != nil && c.err == nil {
		c.err = err
	}
	close(c.news)
	c.news = make(chan struct{})
	return n, err
}

// take takes the whole answers off rest.
func (c *blockConn) take() {
	for {
		length, w := binary.Uvarint(c.rest)
		if w <= 0 || uint64(len(c.rest)-w) < length {
			return
		}
		answer := c.rest[w : w+int(length)]
		if c.begun {
			c.takeAnswer(answer)
		} else {
			c.takeFirst(answer)
		}
		c.rest = append(c.rest[:0], c.rest[w+int(length):]...)
	}
}

// takeFirst takes the answer to the request, whose field 1 is 0 for yes.
func (c *blockConn) takeFirst(answer []byte) {
	c.begun = true
	if err := eachField(answer, func(field protowire.Number, _ protowire.Type, value uint64) {
		if field == 1 {
			c.open = value == 0
		}
	}); err != nil {
		c.err = fmt.Errorf("a data node's first answer: %w", err)
	}
}

func (c *blockConn) takeAnswer(answer []byte) {
	number, copies, failed := int64(-1), 0, false
	status := func(s uint64) { copies++; failed = failed || s != 0 }
	err := eachField(answer, func(field protowire.Number, kind protowire.Type, value uint64) {
		switch {
		case field == 1:
			number = protowire.DecodeZigZag(value)
		case field == 2:
			status(value)
		}
	})
	switch {
	case err != nil:
		c.err = fmt.Errorf("a data node's answer: %w", err)
	case failed:
		c.err = errors.New("a data node could not write the block")
	case number > c.answered:
		c.answered, c.copies = number, copies
	}
}

// eachField calls do for each field of a message that is a number.
func eachField(message []byte, do func(protowire.Number, protowire.Type, uint64)) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		switch kind {
		case protowire.VarintType:
			value, _ := protowire.ConsumeVarint(message)
			do(field, kind, value)
		case protowire.Fixed64Type:
			value, _ := protowire.ConsumeFixed64(message)
			do(field, kind, value)
		case protowire.BytesType:
			if packed, m := protowire.ConsumeBytes(message); m > 0 && field == 2 {
				for len(packed) > 0 {
					value, m := protowire.ConsumeVarint(packed)
					if m < 0 {
						break
					}
					do(field, kind, value)
					packed = packed[m:]
				}
			}
		}
		if n = protowire.ConsumeFieldValue(field, kind, message); n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
	}
	return nil
}

// wait waits until all data nodes have every packet that was sent.
func (c *blockConn) wait(ctx context.Context) error {
	for {
		c.mu.Lock()
		done, err, news := c.answered >= c.sent, c.err, c.news
		c.mu.Unlock()
		switch {
		case done:
			return nil
		case err != nil:
			return fmt.Errorf("waiting for the data nodes: %w", err)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// readable says whether packets and answers can be seen.
func (c *blockConn) readable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plain
}

// Close implements net.Conn.
func (c *blockConn) Close() error {
	c.mu.Lock()
	c.open = false
	c.mu.Unlock()
	return c.Conn.Close()
}

// writing says whether the block is being written.
func (c *blockConn) writing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// have returns how many copies the last packet has; -1 if unknown.
func (c *blockConn) have() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.copies
}

// broken says whether an error passed that is not a deadline's.
func (c *blockConn) broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil && !errors.Is(c.err, os.ErrDeadlineExceeded)
}
