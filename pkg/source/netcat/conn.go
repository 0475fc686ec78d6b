package netcat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/source"
)

const (
	// A connection's buffer starts small, for the many that are idle, and
	// grows as long as reads fill it. The large one holds some thousand
	// lines: more in one batch gains nothing.
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10

	// answerTime is how long a stopping source waits for a client that does
	// not take its answers.
	answerTime = 5 * time.Second
	// lingerTime is how long a client that was refused may go on sending
	// before its connection is cut. Cut while it sends, it could lose the
	// refusal that stands in its receive buffer.
	lingerTime = time.Second
)

// conn serves one client.
type conn struct {
	opt    *Options
	socket net.Conn
	put    source.Put
	log    zerolog.Logger

	in    io.Reader // what the client sends, as UTF-8
	out   io.Writer // to the client, from UTF-8
	buf   []byte    // buf[:n] was read and not yet taken
	n     int
	batch event.Batch // lines taken and not yet committed
	reply []byte      // answers not yet written
}

func newConn(opt *Options, socket net.Conn, put source.Put, log zerolog.Logger) *conn {
	c := &conn{opt: opt, socket: socket, put: put, log: log, in: socket, out: socket}
	if !opt.Encoding.UTF8() {
		enc := opt.Encoding.Encoding()
		c.in = transform.NewReader(socket, enc.NewDecoder())
		c.out = transform.NewWriter(socket, encoding.ReplaceUnsupported(enc.NewEncoder()))
	}
	return c
}

// turnAway tells a client that there is no place for it.
func (c *conn) turnAway() {
	c.socket.SetWriteDeadline(time.Now().Add(lingerTime))
	c.refuse(fmt.Sprintf("Too many connections (%d)", c.opt.MaxConnections))
	c.answer()
}

// serve takes lines until the client leaves or ctx is done.
//
// Flume: an exception that is not the channel's leaves the client without an
// answer and the socket open; here every error of Put is answered.
//
// Flume: connections outlive the source and go on delivering events; here they
// end with it.
func (c *conn) serve(ctx context.Context) {
	defer c.socket.Close()
	defer context.AfterFunc(ctx, func() {
		c.socket.SetReadDeadline(time.Unix(1, 0))
		c.socket.SetWriteDeadline(time.Now().Add(answerTime))
	})()
	for {
		err := c.read()
		end := bytes.LastIndexByte(c.buf[:c.n], '\n') + 1
		if !c.take(c.buf[:end]) || c.tooLong(c.buf[end:c.n]) {
			c.refuse(fmt.Sprintf("Event exceeds the maximum length (%d chars, including newline)", c.opt.MaxLineLength))
			c.log.Warn().Stringer("client", c.socket.RemoteAddr()).Msgf("closed a connection: its line exceeds max-line-length, %d", c.opt.MaxLineLength)
			c.answer()
			c.linger()
			return
		}
		c.n = copy(c.buf, c.buf[end:c.n])
		if errors.Is(err, io.EOF) && c.n > 0 {
			// Flume: drops it without a word. Whoever forgets the
			// newline means the line all the same.
			c.line(c.buf[:c.n], false)
			c.commit()
		}
		c.answer()
		if err != nil {
			return
		}
	}
}

// read reads what there is into the buffer, which it makes larger when that
// seems worth it.
func (c *conn) read() error {
	if c.n == len(c.buf) {
		c.buf = append(c.buf, make([]byte, max(smallBuffer, len(c.buf)))...)
	}
	n, err := c.in.Read(c.buf[c.n:])
	c.n += n
	if c.n == len(c.buf) && c.n < largeBuffer {
		c.buf = append(c.buf, make([]byte, 3*len(c.buf))...)
	}
	return err
}

// take commits the lines of text, which ends with a newline if it is not
// empty. It stops with false at a line that is too long.
func (c *conn) take(text []byte) bool {
	valid := c.valid(text)
	most := c.put.MaxEvents()
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n')
		if c.tooLong(text[:end]) {
			c.commit()
			return false
		}
		c.line(text[:end], valid)
		if c.batch.Len() == most {
			c.commit()
		}
		text = text[end+1:]
	}
	c.commit()
	return true
}

// line takes one line into the batch, or refuses it. valid says that it need
// not be looked at again.
//
// Flume: malformed input closes the connection without a word, and the good
// lines that came with it are lost; here the bad line alone is refused.
func (c *conn) line(text []byte, valid bool) {
	if valid || c.valid(text) {
		c.batch.Append(event.Event{Body: text})
		return
	}
	c.commit() // answers stand in the order of the lines
	c.refuse(fmt.Sprintf("Event is not valid %s", c.opt.Encoding))
	c.log.Warn().Stringer("client", c.socket.RemoteAddr()).Msgf("refused a line that is not valid %s", c.opt.Encoding)
}

// valid reports whether what the client sent was well-formed. Decoders put
// U+FFFD where it was not; a client that sends that character itself has lost
// what stood there.
func (c *conn) valid(text []byte) bool {
	if c.opt.Encoding.UTF8() {
		return utf8.Valid(text)
	}
	return !bytes.ContainsRune(text, utf8.RuneError)
}

// tooLong reports whether line, without its newline, exceeds max-line-length.
func (c *conn) tooLong(line []byte) bool {
	most := int(c.opt.MaxLineLength) - 1
	if len(line) <= most { // no character takes less than a byte
		return false
	}
	chars := 0
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		if chars++; r > 0xFFFF {
			chars++ // a surrogate pair, to Java
		}
		line = line[size:]
	}
	return chars > most
}

// commit commits the batch and answers for it.
func (c *conn) commit() {
	n := c.batch.Len()
	if n == 0 {
		return
	}
	err := c.put.Try(&c.batch)
	c.batch.Reset()
	switch {
	case err != nil:
		reason := oneLine.Replace(err.Error())
		for range n {
			c.refuse(reason)
		}
	case bool(c.opt.AckEveryEvent):
		for range n {
			c.reply = append(c.reply, "OK\n"...)
		}
	}
	c.answer()
}

var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

func (c *conn) refuse(reason string) {
	c.reply = append(c.reply, "FAILED: "...)
	c.reply = append(c.reply, reason...)
	c.reply = append(c.reply, '\n')
}

// answer writes the answers that stand ready. A client that cannot be written
// to may have left without waiting for them: what it sent is taken all the same.
func (c *conn) answer() {
	if len(c.reply) == 0 {
		return
	}
	if _, err := c.out.Write(c.reply); err != nil {
		c.out = io.Discard
	}
	c.reply = c.reply[:0]
}

// linger lets the client read its refusal before the connection goes.
func (c *conn) linger() {
	if half, ok := c.socket.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.socket.SetReadDeadline(time.Now().Add(lingerTime))
	io.Copy(io.Discard, c.socket)
}
