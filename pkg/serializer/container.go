package serializer

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// ContainerOptions are the properties of the serializers that write Avro object
// container files.
type ContainerOptions struct {
	SyncIntervalBytes option.Int `name:"syncIntervalBytes" default:"2048000" help:"End a block when it has this many bytes before compression."`
	CompressionCodec  string     `name:"compressionCodec" enum:"null,deflate,snappy,bzip2,zstandard" default:"null" help:"How blocks are compressed."`
}

// Validate checks what the values alone can tell.
//
// Flume: a wrong interval is found when the first file is made, and with a
// codec that Avro does not know nothing is compressed.
func (o *ContainerOptions) Validate() error {
	if o.SyncIntervalBytes < 32 || o.SyncIntervalBytes > 1<<30 {
		return fault.Hint(fmt.Errorf("syncIntervalBytes is %d", o.SyncIntervalBytes), "it must be from 32 to 1073741824; the default is 2048000")
	}
	return nil
}

// errAppend is why an Avro container is not continued by another serializer.
var errAppend = errors.New("an Avro container file cannot be appended to")

// container writes an Avro object container file (Avro specification 1.11,
// "Object Container Files"). Its data are already encoded.
type container struct {
	w        io.Writer
	interval int
	compress func(dst, block []byte) ([]byte, error)
	marker   [16]byte
	block    []byte
	count    int64
	out      []byte
}

// newContainer writes the head of a container file to w.
func newContainer(w io.Writer, schema string, o *ContainerOptions) (*container, error) {
	compress, err := containerCodec(o.CompressionCodec)
	if err != nil {
		return nil, err
	}
	c := &container{w: w, interval: int(o.SyncIntervalBytes), compress: compress}
	rand.Read(c.marker[:])
	head := append([]byte("Obj\x01"), 4) // two entries, as an Avro long
	for _, field := range []string{"avro.schema", schema, "avro.codec", o.CompressionCodec} {
		head = appendAvroString(head, field)
	}
	head = append(append(head, 0), c.marker[:]...)
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	return c, nil
}

// ended counts a datum that was appended to block, and ends a full block.
func (c *container) ended() error {
	c.count++
	if len(c.block) < c.interval {
		return nil
	}
	return c.Flush()
}

// Flush ends the block, if anything is in it.
func (c *container) Flush() error {
	if c.count == 0 {
		return nil
	}
	block, err := c.block, error(nil)
	if c.compress != nil {
		if block, err = c.compress(nil, c.block); err != nil {
			c.drop()
			return err
		}
	}
	c.out = binary.AppendVarint(c.out[:0], c.count)
	c.out = binary.AppendVarint(c.out, int64(len(block)))
	c.out = append(append(c.out, block...), c.marker[:]...)
	c.drop()
	_, err = c.w.Write(c.out)
	return err
}

// drop forgets the data of the block.
func (c *container) drop() { c.block, c.count = c.block[:0], 0 }

// Close ends the last block.
func (c *container) Close() error { return c.Flush() }

func appendAvroString[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendVarint(dst, int64(len(text))), text...)
}

// containerCodec returns the function that compresses a block; nil for none.
func containerCodec(name string) (func(dst, block []byte) ([]byte, error), error) {
	switch name {
	case "", "null":
		return nil, nil
	case "deflate":
		return through(func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) }), nil
	case "bzip2":
		return through(func(w io.Writer) (io.WriteCloser, error) { return bzip2.NewWriter(w, nil) }), nil
	case "snappy":
		return func(_, block []byte) ([]byte, error) {
			return binary.BigEndian.AppendUint32(snappy.Encode(nil, block), crc32.ChecksumIEEE(block)), nil
		}, nil
	case "zstandard":
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return func(dst, block []byte) ([]byte, error) { return enc.EncodeAll(block, dst), nil }, nil
	}
	return nil, fmt.Errorf("unknown codec %q", name)
}

// through compresses blocks with a stream.
func through(open func(io.Writer) (io.WriteCloser, error)) func(dst, block []byte) ([]byte, error) {
	return func(dst, block []byte) ([]byte, error) {
		out := bytes.NewBuffer(dst)
		w, err := open(out)
		if err == nil {
			_, err = w.Write(block)
		}
		if err == nil {
			err = w.Close()
		}
		return out.Bytes(), err
	}
}
