package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/nonblock"
)

// askVersion is the version of the questions that a listener answers. It says so
// in its hello; one that says nothing knows of no questions.
const askVersion = 1

const flagBatch = 1 // of a note: the batch that it speaks of follows

// Replies is the answer to a question: parts, each a note and perhaps a batch. One
// goroutine reads it.
type Replies struct {
	name string // of the other end, for messages
	conn *nonblock.Conn
	from *bufio.Reader
	most int // bytes of a batch
	stop func() bool
	ctx  context.Context
}

// DialAsk asks the channel that listens at addr a question, which is sent as JSON.
// Like DialPut it waits some seconds for somebody to listen, but it does not dial
// again. The answer ends with ctx, or Close.
func DialAsk(ctx context.Context, addr, name string, question any) (*Replies, error) {
	path, err := UnixPath(addr)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	r := &Replies{name: "the channel at " + addr, ctx: ctx}
	dial := func(ctx context.Context) (theirs Hello, err error) {
		r.conn, theirs, r.from, err = dialUntil(ctx, path, Hello{Role: Ask, Name: name, Question: text})
		return theirs, err
	}
	theirs, err := firstDial(ctx, addr, dial)
	if err != nil {
		return nil, err
	}
	if theirs.Asks < askVersion {
		r.conn.Close()
		return nil, fault.Hint(fmt.Errorf("%s cannot be asked: its process is of an older version", r.name),
			"end it and start it with this version; what it holds stays")
	}
	r.most = theirs.MaxBytes
	r.stop = context.AfterFunc(ctx, func() { r.conn.SetReadDeadline(time.Unix(1, 0)) })
	return r, nil
}

// Next returns the next part: it sets note from JSON and returns the batch, nil if
// there is none. It returns io.EOF at the end, a *Refused if the question has
// found no answer, and ErrDied if the other process ended before.
func (r *Replies) Next(note any) (*event.Batch, error) {
	f, err := readFrame(r.from, 0, nil)
	switch {
	case err != nil:
		return nil, r.broken(err)
	case f.kind == kindEnd:
		return nil, io.EOF
	case f.kind == kindRefused:
		refused := new(Refused)
		if err := json.Unmarshal(f.payload, refused); err != nil {
			return nil, protocolErrorf("reading a refusal: %v", err)
		}
		return nil, refused
	case f.kind != kindNote:
		return nil, protocolErrorf("a frame of kind %d where a note was due", f.kind)
	}
	if err := json.Unmarshal(f.payload, note); err != nil {
		return nil, protocolErrorf("reading a note: %v", err)
	}
	if f.flags&flagBatch == 0 {
		return nil, nil
	}
	if f, err = readFrame(r.from, r.most, nil); err != nil {
		return nil, r.broken(err)
	}
	b := new(event.Batch)
	if f.kind != kindBatch {
		return nil, protocolErrorf("a frame of kind %d where a batch was due", f.kind)
	}
	if err := b.Decode(f.payload); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return b, nil
}

func (r *Replies) broken(err error) error {
	switch {
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case errors.Is(err, ErrProtocol):
		return err
	}
	return fmt.Errorf("%s broke off its answer: %w", r.name, ErrDied)
}

// Close ends the reading.
func (r *Replies) Close() {
	r.stop()
	r.conn.Close()
}

// Replier answers one question. One goroutine uses it, but for Abort; it is ended by
// End or Abort.
type Replier struct {
	conn *nonblock.Conn
	seq  uint64
	buf  []byte
}

// Replier returns what answers the question in the Hello of a connection that was
// dialled with Ask.
func (c *Conn) Replier() *Replier { return &Replier{conn: c.conn} }

// Say writes a part of the answer: note, as JSON, and the batch that it speaks of,
// if that is not nil. It blocks for as long as the reader does not read.
func (r *Replier) Say(note any, b *event.Batch) error {
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	if len(text) > maxTalk {
		return fmt.Errorf("an answer of %d bytes; the most are %d", len(text), maxTalk)
	}
	flags := byte(0)
	if b != nil {
		flags = flagBatch
	}
	r.seq++
	r.buf = append(appendFrameHead(r.buf[:0], kindNote, flags, r.seq, len(text)), text...)
	if b != nil {
		r.buf = appendFrameHead(r.buf, kindBatch, 0, r.seq, len(b.Encoded()))
	}
	if _, err := r.conn.Write(r.buf); err != nil {
		return err
	}
	if b != nil {
		_, err = r.conn.Write(b.Encoded())
	}
	return err
}

// End ends the answer and the connection: cleanly, or with why there is no answer
// or no more of it.
func (r *Replier) End(why *Refused) error {
	defer r.conn.Close()
	last := appendFrameHead(nil, kindEnd, 0, r.seq+1, 0)
	if why != nil {
		last = appendJSONFrame(nil, kindRefused, r.seq+1, why)
	}
	_, err := r.conn.Write(last)
	return err
}

// Abort ends the answer without an end, also where it is being written.
func (r *Replier) Abort() { r.conn.Close() }
