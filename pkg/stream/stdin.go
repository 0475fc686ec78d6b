package stream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventjson"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/nonblock"
)

// A batch of what a foreign program wrote is what one read returned, and holds
// no more than this.
const (
	chunkBytes  = 256 << 10
	chunkEvents = 4096
)

// OpenStdin returns a Reader of f, which is standard input or a file like it:
// frames of ours, JSON lines, an Avro object container file, or text, of which
// each line is one event. name is this component's, for the other end's
// messages.
//
// Several writers may follow one another on f: each ends cleanly and the next
// begins. Close does not interrupt a read that f is blocked in; closing f does
// where f is a pipe that Go opened.
func OpenStdin(f *os.File, name string, bounds Bounds) *Reader {
	r := newReader(bounds)
	s := &stdin{Reader: r, file: f, hello: Hello{Role: Pipe, Name: name, Bounds: r.bounds}}
	r.run(s.read)
	return r
}

type stdin struct {
	*Reader
	file  *os.File
	hello Hello
}

func (s *stdin) read() error {
	from := bufio.NewReaderSize(s.file, chunkBytes)
	for {
		more, err := s.segment(from)
		if err != nil || !more {
			return err
		}
	}
}

// segment reads what one writer has to say. It returns false when the input is
// at its end.
func (s *stdin) segment(from *bufio.Reader) (more bool, err error) {
	var conn *nonblock.Conn
	// What was read ahead is the next writer's: it did not wait for us to call.
	if name, ok := pipeAddr(s.file); ok && from.Buffered() == 0 {
		conn = call(s.ctx, s.file, name, s.hello)
	}
	_, err = from.Peek(1)
	var a *answers
	if conn != nil {
		a = &answers{conn: conn}
		stop := context.AfterFunc(s.ctx, func() { conn.Close() })
		defer func() {
			stop()
			a.breakOff()
			conn.Close()
		}()
	}
	switch {
	case errors.Is(err, io.EOF) && conn != nil:
		return false, fmt.Errorf("the writer ended before it wrote anything: %w", ErrDied)
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading standard input: %w", err)
	}
	switch {
	case startsWith(from, magic[:1]):
		return s.framesOf(from, a, nil)
	case startsWith(from, avroMagic):
		return false, readAvro(from, s.bounds, s.passForeign)
	case startsWith(from, "{"):
		return s.json(from, a)
	}
	return false, s.lines(from, func(b *event.Batch, line []byte) { b.Append(event.Event{Body: line}) }, nil, s.passForeign)
}

// startsWith reports whether prefix comes next. It waits for no byte more than
// it needs to tell: a slow writer's first line may be a short one.
func startsWith(from *bufio.Reader, prefix string) bool {
	for n := 1; n <= len(prefix); n++ {
		if got, _ := from.Peek(n); string(got) != prefix[:n] {
			return false
		}
	}
	return true
}

// framesOf reads magic and frames, and passes on what was held of the lines before
// them. Their writer ends them only when everything is answered, so that nothing is
// left for the connection to carry then.
func (s *stdin) framesOf(from *bufio.Reader, a *answers, held []*event.Batch) (more bool, err error) {
	again, err := begin(from, a)
	if err := errors.Join(s.passHeld(held, again), err); err != nil {
		return false, err
	}
	return true, s.frames(from, a)
}

// begin reads what frames begin with, and returns how many of the events in the lines
// before them come again.
func begin(from *bufio.Reader, a *answers) (again uint64, err error) {
	if err := readMagic(from); err != nil || a == nil {
		return 0, err
	}
	if k, err := from.Peek(1); err != nil || kind(k[0]) != kindAgain {
		return 0, nil // they began before our call; whoever reads them says what else is wrong
	}
	f, err := readFrame(from, 0, nil)
	if err != nil {
		return 0, fmt.Errorf("the stream broke off: %w", ErrDied)
	}
	return f.seq, nil
}

// json reads JSON lines. A writer of ours may change to frames at a line's end.
func (s *stdin) json(from *bufio.Reader, a *answers) (more bool, err error) {
	var held []*event.Batch
	pass := s.passForeign
	if a != nil {
		// A writer that has answered our call will, and say how many of the lines come
		// again: what the pipe holds, and a batch, waits for that.
		pass = func(b *event.Batch) error {
			held = append(held, b)
			return nil
		}
	}
	changed := false
	err = s.lines(from, func(b *event.Batch, line []byte) {
		e, err := eventjson.Decode(line)
		if err != nil {
			e = event.Event{Body: line} // not ours: it is kept as it is
		}
		b.Append(e)
	}, func() bool {
		changed = startsWith(from, magic[:1])
		return changed
	}, pass)
	if err != nil || !changed {
		return false, errors.Join(s.passHeld(held, 0), err)
	}
	return s.framesOf(from, a, held)
}

// passHeld passes on all events of held but the last again.
func (s *stdin) passHeld(held []*event.Batch, again uint64) error {
	left := 0
	for _, b := range held {
		left += b.Len()
	}
	left -= int(min(again, uint64(left)))
	for i := 0; left > 0; i++ {
		for part := range held[i].Split(left) {
			if err := s.passForeign(part); err != nil {
				return err
			}
			if left -= part.Len(); left == 0 {
				break // the rest comes again
			}
		}
	}
	return nil
}

// lines reads lines and passes on a batch for each chunk of them that is there,
// so that a slow writer's line goes at once. stop is asked at each line's end,
// where that may mean something.
func (s *stdin) lines(from *bufio.Reader, add func(*event.Batch, []byte), stop func() bool, pass func(*event.Batch) error) error {
	b := s.emptyBatch()
	for {
		if stop != nil && stop() {
			return pass(b)
		}
		line, err := s.line(from)
		if len(line) > 0 || err == nil {
			add(b, bytes.TrimSuffix(line, []byte("\n")))
		}
		if errors.Is(err, io.EOF) {
			return pass(b)
		}
		if err != nil {
			return errors.Join(pass(b), fmt.Errorf("reading standard input: %w", err))
		}
		if b.Size() >= chunkBytes || b.Len() >= chunkEvents || !lineBuffered(from) {
			if err := pass(b); err != nil {
				return err
			}
			b = s.emptyBatch()
		}
	}
}

// lineBuffered reports whether a whole line can be had without a read.
func lineBuffered(from *bufio.Reader) bool {
	buffered, _ := from.Peek(from.Buffered())
	return bytes.IndexByte(buffered, '\n') >= 0
}

// line returns the next line with its newline, valid until the next read.
func (s *stdin) line(from *bufio.Reader) ([]byte, error) {
	line, err := from.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	for {
		line, err = from.ReadSlice('\n')
		if most := s.bounds.foreign(); len(long)+len(line) > most-event.HeadSize-16 {
			return nil, fault.Hint(fmt.Errorf("a line is longer than %d bytes", most),
				"cut the input into lines before it comes here; larger events come as frames (--format frame)")
		}
		long = append(long, line...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return long, err
		}
	}
}

func (s *stdin) emptyBatch() *event.Batch {
	b := new(event.Batch)
	if buf := s.spare(); buf != nil {
		*b = event.BatchIn(buf)
	}
	return b
}

func (s *stdin) passForeign(b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return s.pass(&Delivery{Batch: b, Wait: true})
}
