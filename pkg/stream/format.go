package stream

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/hamba/avro/v2/ocf"

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

// avroSchema is the schema that Flume's avro_event serializer writes, to the letter.
const avroSchema = `{"type":"record","name":"Event","fields":[` +
	`{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`

type avroEvent struct {
	Headers map[string]string `avro:"headers"`
	Body    []byte            `avro:"body"`
}

// avroEncoder writes one Avro block for each batch.
type avroEncoder struct {
	enc *ocf.Encoder
}

func (a *avroEncoder) encode(w io.Writer, b *event.Batch) error {
	if err := a.start(w); err != nil {
		return err
	}
	for e := range b.All() {
		record := avroEvent{Headers: make(map[string]string), Body: e.Body}
		for key, value := range e.Headers.All() {
			record.Headers[key] = value
		}
		if err := a.enc.Encode(record); err != nil {
			return err
		}
	}
	return a.enc.Flush()
}

func (a *avroEncoder) start(w io.Writer) error {
	if a.enc != nil {
		return nil
	}
	var err error
	a.enc, err = ocf.NewEncoder(avroSchema, w, ocf.WithBlockLength(1<<20))
	return err
}

// end writes the file's head even when there was no event, so that what was
// written is always a container file.
func (a *avroEncoder) end(w io.Writer) error {
	if err := a.start(w); err != nil {
		return err
	}
	return a.enc.Close()
}

// readAvro reads an Avro object container file and passes batches on.
func readAvro(r *bufio.Reader, bounds Bounds, pass func(*event.Batch) error) (err error) {
	defer func() {
		// The decoder is not ours and bytes that nobody vouches for come in.
		if fault := recover(); fault != nil {
			err = fmt.Errorf("reading an Avro file: %v", fault)
		}
	}()
	dec, err := ocf.NewDecoder(r, ocf.WithDecoderConfig(avroConfig(bounds.MaxBytes)))
	if err != nil {
		return fmt.Errorf("reading an Avro file's head: %w", err)
	}
	b := new(event.Batch)
	for dec.HasNext() {
		var record avroEvent
		if err := dec.Decode(&record); err != nil {
			return fmt.Errorf("reading an Avro file: %w", err)
		}
		e := event.Event{Body: record.Body, Headers: sortedHeaders(record.Headers)}
		if b.Len() >= chunkEvents || b.Size()+len(record.Body) > chunkBytes && b.Len() > 0 {
			if err := pass(b); err != nil {
				return err
			}
			b = new(event.Batch)
		}
		b.Append(e)
	}
	if err := dec.Error(); err != nil {
		return fmt.Errorf("reading an Avro file: %w", err)
	}
	if b.Len() > 0 {
		return pass(b)
	}
	return nil
}
