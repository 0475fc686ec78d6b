package hdfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/serializer"
)

// codec is one of Hadoop's compression codecs.
type codec struct {
	class  string // its simple name; all are in org.apache.hadoop.io.compress
	alias  string // another name that people use
	suffix string // of files that it makes
	open   func(io.Writer) (compressor, error)
}

// compressor is a stream of one codec. After Close it can be Reset.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

const codecPackage = "org.apache.hadoop.io.compress."

var codecs = []codec{
	{"GzipCodec", "", ".gz", func(w io.Writer) (compressor, error) { return gzip.NewWriter(w), nil }},
	{"BZip2Codec", "", ".bz2", openBzip2},
	{"SnappyCodec", "", ".snappy", func(w io.Writer) (compressor, error) {
		return newBlocks(w, snappyBlock, func(dst, raw []byte) ([]byte, error) {
			return snappy.Encode(dst[:cap(dst)], raw), nil
		}), nil
	}},
	{"Lz4Codec", "", ".lz4", func(w io.Writer) (compressor, error) {
		var c lz4.Compressor
		return newBlocks(w, lz4Block, func(dst, raw []byte) ([]byte, error) {
			if most := lz4.CompressBlockBound(len(raw)); cap(dst) < most {
				dst = make([]byte, most)
			}
			n, err := c.CompressBlock(raw, dst[:cap(dst)])
			return dst[:n], err
		}), nil
	}},
	{"ZStandardCodec", "zstd", ".zst", func(w io.Writer) (compressor, error) {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}},
	{"DefaultCodec", "zlib", ".deflate", func(w io.Writer) (compressor, error) { return zlib.NewWriter(w), nil }},
	{"DeflateCodec", "", ".deflate", func(w io.Writer) (compressor, error) { return zlib.NewWriter(w), nil }},
}

// findCodec returns the codec of a name: its class's, with or without package
// and "Codec", in any letter case. It returns nil for None.
func findCodec(name string) (*codec, error) {
	if name == "" || strings.EqualFold(name, "none") {
		return nil, nil
	}
	var short []string
	for i := range codecs {
		c := &codecs[i]
		stem := strings.TrimSuffix(c.class, "Codec")
		for _, known := range []string{codecPackage + c.class, c.class, stem, c.alias} {
			if strings.EqualFold(name, known) {
				return c, nil
			}
		}
		short = append(short, strings.ToLower(stem))
	}
	return nil, fault.Hint(fmt.Errorf("%q is not a codec", name), "the codecs are none, %s", strings.Join(short, ", "))
}

type bzip2Writer struct{ *bzip2.Writer }

func openBzip2(w io.Writer) (compressor, error) {
	z, err := bzip2.NewWriter(w, nil)
	return bzip2Writer{z}, err
}

func (z bzip2Writer) Reset(w io.Writer) { _ = z.Writer.Reset(w) } // it cannot fail

// The most bytes that go into one block of Hadoop's block codecs, whose buffer
// has 256 KiB: as many as fit when they cannot be compressed.
const (
	blockBuffer = 256 << 10
	snappyBlock = blockBuffer - (blockBuffer/6 + 32)
	lz4Block    = blockBuffer - (blockBuffer/255 + 16)
)

// blocks writes what Hadoop's BlockCompressorStream writes: for each block its
// length, the length of its compressed form, and that.
type blocks struct {
	w        io.Writer
	most     int
	compress func(dst, raw []byte) ([]byte, error)
	raw, out []byte
}

func newBlocks(w io.Writer, most int, compress func(dst, raw []byte) ([]byte, error)) *blocks {
	return &blocks{w: w, most: most, compress: compress}
}

func (b *blocks) Reset(w io.Writer) { b.w, b.raw = w, b.raw[:0] }

func (b *blocks) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), b.most-len(b.raw))
		b.raw, p = append(b.raw, p[:n]...), p[n:]
		if len(b.raw) == b.most {
			if err := b.Close(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

// Close writes the block that was begun.
func (b *blocks) Close() error {
	if len(b.raw) == 0 {
		return nil
	}
	var err error
	if b.out, err = b.compress(b.out, b.raw); err != nil {
		return err
	}
	var head [8]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(b.raw)))
	binary.BigEndian.PutUint32(head[4:], uint32(len(b.out)))
	b.raw = b.raw[:0]
	if _, err = b.w.Write(head[:]); err == nil {
		_, err = b.w.Write(b.out)
	}
	return err
}

// compressedStream passes what a serializer writes through a codec. Each flush
// ends a member of its own (a gzip member, a bzip2 stream), as Flume's does, so
// that what was delivered can be read whatever comes after it.
type compressedStream struct {
	w     io.Writer
	inner serializer.Serializer
	raw   bytes.Buffer // what the serializer has written, not compressed yet
	via   compressor
}

func newCompressedStream(w io.Writer, c *codec, format serializer.Options, appending bool) (*compressedStream, error) {
	via, err := c.open(w)
	if err != nil {
		return nil, err
	}
	s := &compressedStream{w: w, via: via}
	s.inner, err = format.Build(&s.raw, appending)
	return s, err
}

func (s *compressedStream) Write(b *event.Batch) error {
	before := s.raw.Len()
	err := s.inner.Write(b)
	if err != nil {
		s.raw.Truncate(before)
	}
	return err
}

func (s *compressedStream) Flush() error {
	if err := s.inner.Flush(); err != nil {
		return err
	}
	return s.member()
}

func (s *compressedStream) member() error {
	if s.raw.Len() == 0 {
		return nil
	}
	s.via.Reset(s.w)
	_, err := s.raw.WriteTo(s.via)
	s.raw.Reset()
	if err != nil {
		return err
	}
	return s.via.Close()
}

func (s *compressedStream) Close() error {
	if err := s.inner.Close(); err != nil {
		return err
	}
	return s.member()
}
