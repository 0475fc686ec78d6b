package stream

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

// avroSchema is the schema that Flume's avro_event serializer writes, to the letter.
const avroSchema = `{"type":"record","name":"Event","fields":[` +
	`{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`

// avroMagic is what an Avro object container file begins with.
const avroMagic = "Obj\x01"

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

// avroReader reads an Avro object container file of events (Avro specification
// 1.11, "Object Container Files"). It reads the blocks itself, and not by package
// ocf, which believes any length that a block claims to have.
type avroReader struct {
	in     *avro.Reader
	bounds Bounds
	api    avro.API
	schema avro.Schema
	codec  func(block []byte) ([]byte, error)
	sync   [16]byte
}

// readAvro reads an Avro object container file and passes batches on.
func readAvro(r io.Reader, bounds Bounds, pass func(*event.Batch) error) (err error) {
	defer func() {
		// The decoder is not ours, and bytes that nobody vouches for come in.
		if fault := recover(); fault != nil {
			err = fmt.Errorf("reading an Avro file: %v", fault)
		}
	}()
	api := avro.Config{MaxByteSliceSize: bounds.foreign(), MaxSliceAllocSize: bounds.foreign()}.Freeze()
	a := &avroReader{in: avro.NewReader(r, 64<<10, avro.WithReaderConfig(api)), bounds: bounds, api: api}
	if err := a.head(); err != nil {
		return fmt.Errorf("reading an Avro file's head: %w", err)
	}
	for {
		b, err := a.block()
		if b != nil {
			if err := pass(b); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading an Avro file: %w", err)
		}
	}
}

// head reads the magic, the metadata and the sync marker.
func (a *avroReader) head() error {
	var magic [len(avroMagic)]byte
	a.in.Read(magic[:])
	meta := a.metadata()
	a.in.Read(a.sync[:])
	if a.in.Error != nil {
		return a.in.Error
	}
	var err error
	if a.codec, err = avroCodec(meta["avro.codec"], a.bounds.foreign()); err != nil {
		return err
	}
	if a.schema, err = avro.Parse(meta["avro.schema"]); err != nil {
		return fmt.Errorf("its schema: %w", err)
	}
	return checkEventSchema(a.schema)
}

// maxMetadata bounds the metadata of a file.
const maxMetadata = 1 << 20

// metadata reads a map of bytes: blocks of entries, up to an empty one.
func (a *avroReader) metadata() map[string]string {
	meta, size := make(map[string]string), 0
	for a.in.Error == nil {
		n, _ := a.in.ReadBlockHeader()
		if n == 0 {
			break
		}
		for ; n > 0 && a.in.Error == nil; n-- {
			key, value := a.in.ReadString(), string(a.in.ReadBytes())
			if size += len(key) + len(value) + 1; size > maxMetadata {
				a.in.ReportError("metadata", fmt.Sprintf("it has more than %d bytes", maxMetadata))
			}
			meta[key] = value
		}
	}
	return meta
}

// checkEventSchema refuses schemas that have no Flume event in them.
func checkEventSchema(schema avro.Schema) error {
	types := make(map[string]avro.Type)
	if record, ok := schema.(*avro.RecordSchema); ok {
		for _, field := range record.Fields() {
			types[field.Name()] = field.Type().Type()
		}
	}
	if types["headers"] != avro.Map || types["body"] != avro.Bytes {
		return fault.Hint(errors.New("its records are not Flume's events"),
			"they need the fields headers (a map of strings) and body (bytes)")
	}
	return nil
}

// block reads the next block. It returns io.EOF where there is none.
func (a *avroReader) block() (*event.Batch, error) {
	a.in.Peek()
	if errors.Is(a.in.Error, io.EOF) {
		return nil, io.EOF
	}
	count := a.in.ReadLong()
	data := a.in.ReadBytes() // a block's length and bytes are written as bytes are
	var sync [16]byte
	a.in.Read(sync[:])
	switch {
	case a.in.Error != nil:
		return nil, a.in.Error
	case sync != a.sync:
		return nil, errors.New("a block does not end where it should")
	}
	data, err := a.codec(data)
	if err != nil {
		return nil, fmt.Errorf("decompressing a block: %w", err)
	}
	if count < 0 || count > int64(len(data)) { // an event is two bytes at least
		return nil, fmt.Errorf("a block of %d bytes claims %d events", len(data), count)
	}
	b, in := new(event.Batch), avro.NewReader(nil, 0, avro.WithReaderConfig(a.api)).Reset(data)
	for range count {
		var record avroEvent
		in.ReadVal(a.schema, &record)
		if in.Error != nil {
			return b, fmt.Errorf("an event in a block: %w", in.Error)
		}
		b.Append(event.Event{Body: record.Body, Headers: sortedHeaders(record.Headers)})
	}
	return b, nil
}

// avroCodec returns the function that decompresses a block to at most most bytes.
func avroCodec(name string, most int) (func([]byte) ([]byte, error), error) {
	tooLarge := fmt.Errorf("it has more than %d bytes", most)
	switch name {
	case "", "null":
		return func(block []byte) ([]byte, error) { return block, nil }, nil
	case "deflate":
		return func(block []byte) ([]byte, error) {
			data, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(block)), int64(most)+1))
			if len(data) > most {
				return nil, tooLarge
			}
			return data, err
		}, nil
	case "snappy":
		return func(block []byte) ([]byte, error) {
			if len(block) < 4 {
				return nil, io.ErrUnexpectedEOF
			}
			block, sum := block[:len(block)-4], binary.BigEndian.Uint32(block[len(block)-4:])
			if n, err := snappy.DecodedLen(block); err != nil || n > most {
				return nil, errors.Join(err, tooLarge)
			}
			data, err := snappy.Decode(nil, block)
			if err == nil && crc32.ChecksumIEEE(data) != sum {
				err = errors.New("its checksum is wrong")
			}
			return data, err
		}, nil
	case "zstandard":
		dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(most)), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return func(block []byte) ([]byte, error) { return dec.DecodeAll(block, nil) }, nil
	}
	return nil, fault.Hint(fmt.Errorf("its blocks are compressed with %q", name), "the codecs are null, deflate, snappy and zstandard")
}

// sortedHeaders returns headers in the order of their keys: an Avro map has none.
func sortedHeaders(m map[string]string) event.Headers {
	var h event.Headers
	for _, key := range slices.Sorted(maps.Keys(m)) {
		h = h.With(key, m[key])
	}
	return h
}
