package rpc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/klauspost/compress/zlib"
)

// deflated is a connection whose bytes are one zlib stream in each direction.
type deflated struct {
	net.Conn
	out *bufio.Writer // to Conn

	in io.ReadCloser // nil until the first read

	writing sync.Mutex
	w       *zlib.Writer
}

// deflate compresses what goes over conn. Every Write reaches the other end
// before it returns.
func deflate(conn net.Conn, level int) (*deflated, error) {
	out := bufio.NewWriterSize(conn, 32<<10)
	w, err := zlib.NewWriterLevel(out, level)
	if err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return &deflated{Conn: conn, out: out, w: w}, nil
}

func (d *deflated) Read(p []byte) (int, error) {
	if d.in == nil {
		in, err := zlib.NewReader(bufio.NewReaderSize(d.Conn, 32<<10))
		if err != nil {
			return 0, err
		}
		d.in = in
	}
	return d.in.Read(p)
}

func (d *deflated) Write(p []byte) (int, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	n, err := d.w.Write(p)
	if err == nil {
		err = d.w.Flush()
	}
	if err == nil {
		err = d.out.Flush()
	}
	return n, err
}

// closeTime is how long a peer that reads nothing may delay a Close.
const closeTime = 100 * time.Millisecond

// Close ends the stream, so that the other end sees it whole, and the connection.
func (d *deflated) Close() error {
	d.Conn.SetWriteDeadline(time.Now().Add(closeTime))
	d.writing.Lock()
	if d.w.Close() == nil {
		d.out.Flush()
	}
	d.writing.Unlock()
	return d.Conn.Close()
}
