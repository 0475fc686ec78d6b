package hdfs

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/flumekit/flumekit/pkg/event"
)

// one returns the content of the one file that a sink with these options makes
// of batches.
func one(t *testing.T, set []string, batches ...*event.Batch) []byte {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, append([]string{"hdfs.rollCount", "0", "hdfs.rollSize", "0"}, set...)...)
	for _, b := range batches {
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "FlumeData.*"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("got %v, %v; want one file", paths, err)
	}
	content, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The bytes of an uncompressed SequenceFile, which Hadoop 3.3.6 has read
// (scripts/interop hdfs).
func TestSequenceFileBytes(t *testing.T) {
	long := strings.Repeat("x", 300)
	for format, want := range map[string]string{
		"Writable": "SEQ\x06!org.apache.hadoop.io.LongWritable\"org.apache.hadoop.io.BytesWritable\x00\x00\x00\x00\x00\x00MARK" +
			"\x00\x00\x00\x0e\x00\x00\x00\x08\x00\x00\x01\x36\x0a\x6d\x58\xfb\x00\x00\x00\x02hi" +
			"\x00\x00\x01\x38\x00\x00\x00\x08\x00\x00\x01\x36\x0a\x6d\x58\xfb\x00\x00\x01\x2c" + long +
			"\xff\xff\xff\xffMARK" +
			"\x00\x00\x00\x0c\x00\x00\x00\x08\x00\x00\x01\x36\x0a\x6d\x58\xfb\x00\x00\x00\x00" +
			"\xff\xff\xff\xffMARK",
		"Text": "SEQ\x06!org.apache.hadoop.io.LongWritable\x19org.apache.hadoop.io.Text\x00\x00\x00\x00\x00\x00MARK" +
			"\x00\x00\x00\x0b\x00\x00\x00\x08\x00\x00\x01\x36\x0a\x6d\x58\xfb\x02hi" +
			"\x00\x00\x01\x37\x00\x00\x00\x08\x00\x00\x01\x36\x0a\x6d\x58\xfb\x8e\x01\x2c" + long +
			"\xff\xff\xff\xffMARK" +
			"\x00\x00\x00\x09\x00\x00\x00\x08\x00\x00\x01\x36\x0a\x6d\x58\xfb\x00" +
			"\xff\xff\xff\xffMARK",
	} {
		got := one(t, []string{"hdfs.fileType", "SequenceFile", "hdfs.writeFormat", format}, batch("hi", long), batch(""))
		at := strings.Index(want, "MARK")
		if len(got) < at+16 {
			t.Fatalf("%s: got %d bytes", format, len(got))
		}
		want = strings.ReplaceAll(want, "MARK", string(got[at:at+16]))
		if string(got) != want {
			t.Errorf("%s: got\n%s; want\n%s", format, hex.Dump(got), hex.Dump([]byte(want)))
		}
	}
}

func TestVInt(t *testing.T) {
	for n, want := range map[int]string{0: "00", 127: "7f", 128: "8f80", 255: "8fff", 256: "8e0100", 65535: "8effff", 65536: "8d010000", 1 << 24: "8c01000000"} {
		if got := hex.EncodeToString(appendVInt(nil, n)); got != want {
			t.Errorf("%d: got %s; want %s", n, got, want)
		}
	}
}

// readers decompress what the codecs write; none of them is the writer's.
var readers = map[string]func(io.Reader) (io.Reader, error){
	"gzip":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	"bzip2":   func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil },
	"zstd":    func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	"default": func(r io.Reader) (io.Reader, error) { return members(r, zlib.NewReader) },
	"snappy": func(r io.Reader) (io.Reader, error) {
		return unblock(r, func(packed []byte, n int) ([]byte, error) { return snappy.Decode(nil, packed) })
	},
	"lz4": func(r io.Reader) (io.Reader, error) {
		return unblock(r, func(packed []byte, n int) ([]byte, error) {
			raw := make([]byte, n)
			n, err := lz4.UncompressBlock(packed, raw)
			return raw[:n], err
		})
	},
}

// members reads streams that follow one another.
func members(r io.Reader, open func(io.Reader) (io.ReadCloser, error)) (io.Reader, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for rest := bytes.NewReader(all); rest.Len() > 0; {
		z, err := open(rest)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(&out, z); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// unblock reads Hadoop's block framing.
func unblock(r io.Reader, decode func(packed []byte, n int) ([]byte, error)) (io.Reader, error) {
	var out bytes.Buffer
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return &out, nil
		} else if err != nil {
			return nil, err
		}
		n := int(binary.BigEndian.Uint32(head[:]))
		packed := make([]byte, binary.BigEndian.Uint32(head[4:]))
		if _, err := io.ReadFull(r, packed); err != nil {
			return nil, err
		}
		raw, err := decode(packed, n)
		if err != nil || len(raw) != n {
			return nil, fmt.Errorf("a block of %d bytes, where %d were said: %w", len(raw), n, err)
		}
		out.Write(raw)
	}
}

func TestCompressedStream(t *testing.T) {
	// More than a block of the block codecs in one batch; then small ones.
	large := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 10_000)
	batches := []*event.Batch{batch(large, "b"), batch("c"), batch("d", "e")}
	want := large + "\nb\nc\nd\ne\n"
	for name, open := range readers {
		t.Run(name, func(t *testing.T) {
			got := one(t, []string{"hdfs.fileType", "CompressedStream", "hdfs.codeC", name}, batches...)
			r, err := open(bytes.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil || string(text) != want {
				t.Errorf("got %d bytes, %v; want %d", len(text), err, len(want))
			}
		})
	}
}

// Each batch can be read whatever comes after it.
func TestCompressedStreamIsReadableWhileInUse(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "hdfs.fileType", "CompressedStream", "hdfs.codeC", "gzip", "hdfs.rollCount", "0", "hdfs.rollSize", "0")
	defer s.Close()
	want := ""
	for i := range 3 {
		put(t, s, fmt.Sprint(i))
		want += fmt.Sprintln(i)
		paths, _ := filepath.Glob(filepath.Join(dir, "*.gz.tmp"))
		if len(paths) != 1 {
			t.Fatalf("got %v; want one file in use", paths)
		}
		f, err := os.Open(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		f.Close()
	}
}

func TestBlocksOfASequenceFile(t *testing.T) {
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			got := one(t, []string{"hdfs.fileType", "SequenceFile", "hdfs.writeFormat", "Text", "hdfs.codeC", name}, batch("one", "three"), batch("x"))
			c, err := findCodec(name)
			if err != nil {
				t.Fatal(err)
			}
			head := "SEQ\x06!org.apache.hadoop.io.LongWritable\x19org.apache.hadoop.io.Text\x01\x01" + string(appendText(nil, codecPackage+c.class)) + "\x00\x00\x00\x00"
			rest, ok := strings.CutPrefix(string(got), head)
			if !ok {
				t.Fatalf("got %q; want it to begin with %q", got[:len(head)], head)
			}
			marker, rest := rest[:16], rest[16:]
			stamp := "\x00\x00\x01\x36\x0a\x6d\x58\xfb"
			for _, want := range [][]string{
				{"\x02", "\x08\x08", stamp + stamp, "\x04\x06", "\x03one\x05three"},
				{"\x01", "\x08", stamp, "\x02", "\x01x"},
			} {
				if rest, ok = strings.CutPrefix(rest, "\xff\xff\xff\xff"+marker+want[0]); !ok {
					t.Fatalf("no sync marker and count %q before %q", want[0], rest)
				}
				for _, part := range want[1:] {
					size := int(rest[0]) // all are short
					z, err := read(strings.NewReader(rest[1 : 1+size]))
					if err != nil {
						t.Fatal(err)
					}
					if raw, err := io.ReadAll(z); err != nil || string(raw) != part {
						t.Errorf("got %q, %v; want %q", raw, err, part)
					}
					rest = rest[1+size:]
				}
			}
			if rest != "" {
				t.Errorf("%q is left", rest)
			}
		})
	}
}

func TestCodecNames(t *testing.T) {
	for _, tt := range []struct{ name, suffix string }{
		{"gzip", ".gz"}, {"GZIP", ".gz"}, {"GzipCodec", ".gz"}, {"org.apache.hadoop.io.compress.GzipCodec", ".gz"},
		{"bzip2", ".bz2"}, {"BZip2Codec", ".bz2"}, {"snappy", ".snappy"}, {"lz4", ".lz4"},
		{"ZStandardCodec", ".zst"}, {"zstandard", ".zst"}, {"zstd", ".zst"}, {"default", ".deflate"}, {"DeflateCodec", ".deflate"},
	} {
		c, err := findCodec(tt.name)
		if err != nil || c.suffix != tt.suffix {
			t.Errorf("%s: got %v, %v; want %s", tt.name, c, err, tt.suffix)
		}
	}
	for _, name := range []string{"", "none", "None"} {
		if c, err := findCodec(name); c != nil || err != nil {
			t.Errorf("%q: got %v, %v; want none", name, c, err)
		}
	}
}
