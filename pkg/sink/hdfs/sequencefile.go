package hdfs

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// sequenceOptions say what a SequenceFile is like.
type sequenceOptions struct {
	codec  *codec // nil for none
	record bool   // each value is compressed for itself, and not blocks of them
	text   bool   // values are Text, and not BytesWritable
}

// Where Hadoop 2, whose client Flume has, puts sync markers and ends blocks.
const (
	syncInterval  = 2000
	sequenceBlock = 1_000_000
)

// sequenceFile writes a SequenceFile of version 6: keys are timestamps
// (LongWritable), values are bodies.
type sequenceFile struct {
	w    io.Writer
	opt  sequenceOptions
	via  compressor
	sync [16]byte
	out  []byte // not passed to w yet
	at   int64  // bytes since the last sync marker, those of out among them

	// The block that is being filled: lengths and contents of keys and values.
	count                            int
	keyLens, keys, valueLens, values []byte

	stamps []int64 // the keys of a batch
	packed bytes.Buffer
}

func newSequenceFile(w io.Writer, opt sequenceOptions) (*sequenceFile, error) {
	opt.record = opt.record && opt.codec != nil
	s := &sequenceFile{w: w, opt: opt}
	rand.Read(s.sync[:])
	value := "org.apache.hadoop.io.BytesWritable"
	if opt.text {
		value = "org.apache.hadoop.io.Text"
	}
	head := appendText([]byte("SEQ\x06"), "org.apache.hadoop.io.LongWritable")
	head = appendText(head, value)
	head = append(head, flag(opt.codec != nil), flag(opt.codec != nil && !opt.record))
	if opt.codec != nil {
		head = appendText(head, codecPackage+opt.codec.class)
		var err error
		if s.via, err = opt.codec.open(&s.packed); err != nil {
			return nil, err
		}
	}
	head = append(head, 0, 0, 0, 0) // no metadata
	_, err := w.Write(append(head, s.sync[:]...))
	return s, err
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// Write appends b. What can be wrong with an event is found before anything is
// appended.
func (s *sequenceFile) Write(b *event.Batch) error {
	now := time.Now().UnixMilli()
	s.stamps = s.stamps[:0]
	for e := range b.All() {
		stamp, ok := e.Headers.Get("timestamp")
		if !ok {
			s.stamps = append(s.stamps, now)
			continue
		}
		key, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			return fmt.Errorf("the event's timestamp header %q is not a number, and it is to be the key in a SequenceFile", stamp)
		}
		s.stamps = append(s.stamps, key)
	}
	i := 0
	for e := range b.All() {
		if err := s.append(s.stamps[i], e.Body); err != nil {
			return err
		}
		i++
	}
	return nil
}

func (s *sequenceFile) append(key int64, body []byte) error {
	if s.opt.codec == nil || s.opt.record {
		return s.appendRecord(key, body)
	}
	start := len(s.values)
	s.keyLens = appendVInt(s.keyLens, 8)
	s.keys = binary.BigEndian.AppendUint64(s.keys, uint64(key))
	s.values = s.appendValue(s.values, body)
	s.valueLens = appendVInt(s.valueLens, len(s.values)-start)
	s.count++
	if len(s.keys)+len(s.values) >= sequenceBlock {
		return s.endBlock()
	}
	return nil
}

func (s *sequenceFile) appendRecord(key int64, body []byte) error {
	if s.at >= syncInterval {
		s.appendSync()
	}
	start := len(s.out)
	s.out = append(s.out, 0, 0, 0, 0, 0, 0, 0, 8)
	s.out = binary.BigEndian.AppendUint64(s.out, uint64(key))
	if s.opt.record {
		packed, err := s.pack(s.appendValue(nil, body))
		if err != nil {
			return err
		}
		s.out = append(s.out, packed...)
	} else {
		s.out = s.appendValue(s.out, body)
	}
	binary.BigEndian.PutUint32(s.out[start:], uint32(len(s.out)-start-8))
	s.at += int64(len(s.out) - start)
	return nil
}

// appendValue appends body as a value is serialized.
func (s *sequenceFile) appendValue(dst, body []byte) []byte {
	if s.opt.text {
		dst = appendVInt(dst, len(body))
	} else {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	}
	return append(dst, body...)
}

// appendSync appends a sync marker, from which a reader in the middle of the
// file finds the next record.
func (s *sequenceFile) appendSync() {
	s.out = append(append(s.out, 0xff, 0xff, 0xff, 0xff), s.sync[:]...)
	s.at = 0
}

// endBlock appends the block that was filled.
func (s *sequenceFile) endBlock() error {
	if s.count == 0 {
		return nil
	}
	s.appendSync()
	s.out = appendVInt(s.out, s.count)
	for _, part := range [...][]byte{s.keyLens, s.keys, s.valueLens, s.values} {
		packed, err := s.pack(part)
		if err != nil {
			return err
		}
		s.out = append(appendVInt(s.out, len(packed)), packed...)
	}
	s.count = 0
	s.keyLens, s.keys, s.valueLens, s.values = s.keyLens[:0], s.keys[:0], s.valueLens[:0], s.values[:0]
	return nil
}

// pack returns raw compressed; valid until the next call.
func (s *sequenceFile) pack(raw []byte) ([]byte, error) {
	s.packed.Reset()
	s.via.Reset(&s.packed)
	if _, err := s.via.Write(raw); err != nil {
		return nil, err
	}
	err := s.via.Close()
	return s.packed.Bytes(), err
}

// Flush ends the block, or else marks the place.
func (s *sequenceFile) Flush() error {
	if err := s.endBlock(); err != nil {
		return err
	}
	if s.at > 0 {
		s.appendSync()
	}
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.w.Write(s.out)
	s.out = s.out[:0]
	return err
}

func (s *sequenceFile) Close() error { return s.Flush() }

// appendText appends text as Hadoop's Text is serialized.
func appendText(dst []byte, text string) []byte {
	return append(appendVInt(dst, len(text)), text...)
}

// appendVInt appends n, which is not negative, as Hadoop's WritableUtils does:
// up to 127 in one byte, else the number of bytes as -113 and down, and those.
func appendVInt(dst []byte, n int) []byte {
	if n <= 127 {
		return append(dst, byte(n))
	}
	size := 0
	for rest := n; rest > 0; rest >>= 8 {
		size++
	}
	dst = append(dst, byte(-112-size))
	for size--; size >= 0; size-- {
		dst = append(dst, byte(n>>(8*size)))
	}
	return dst
}
