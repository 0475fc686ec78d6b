package stream

import (
	"fmt"
	"io"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventjson"
	"github.com/flumekit/flumekit/pkg/eventtext"
)

// Format is the form in which a Writer writes where its reader is not one of
// ours, or the user asked for it.
type Format string

const (
	Auto  Format = "auto"  // frames to ours, text to a terminal, JSON lines otherwise
	Frame Format = "frame" // frames, whoever reads
	JSON  Format = "json"  // one JSON object a line
	Text  Format = "text"  // one line as the logger sink prints it
	Avro  Format = "avro"  // an Avro object container file with Flume's event schema
)

// encoder writes batches in a form other than frames.
type encoder interface {
	// encode writes the whole of b to w: at its end nothing is kept back.
	encode(w io.Writer, b *event.Batch) error
	// end writes what ends the form.
	end(w io.Writer) error
}

func newEncoder(f Format) (encoder, error) {
	switch f {
	case JSON:
		return &lineEncoder{line: func(dst []byte, e event.Event) []byte {
			return append(eventjson.Append(dst, e), '\n')
		}}, nil
	case Text:
		return &lineEncoder{line: func(dst []byte, e event.Event) []byte {
			return eventtext.AppendLine(dst, time.Now(), e, eventtext.DefaultBytes)
		}}, nil
	case Avro:
		return new(avroEncoder), nil
	}
	return nil, fmt.Errorf("unknown format %q; the formats are auto, frame, json, text, avro", f)
}

// lineEncoder writes a line for each event.
type lineEncoder struct {
	line func(dst []byte, e event.Event) []byte
	buf  []byte
}

func (l *lineEncoder) encode(w io.Writer, b *event.Batch) error {
	l.buf = l.buf[:0]
	for e := range b.All() {
		l.buf = l.line(l.buf, e)
	}
	_, err := w.Write(l.buf)
	return err
}

func (l *lineEncoder) end(io.Writer) error { return nil }
