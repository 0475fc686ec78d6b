package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math/bits"
	"slices"
)

// HeadSize is the length in bytes of the head that stands before the events in
// a batch's binary form.
const HeadSize = 16

// MaxSize is the most bytes of events that one batch can hold: its head counts
// them in 32 bits, and so do the platforms whose int is that small.
const MaxSize = 1<<31 - 1 - HeadSize

const version = 1

// ErrMalformed is what Decode's errors wrap: the bytes are not a batch, or not
// the whole of one.
var ErrMalformed = errors.New("malformed batch")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch holds the events of one transaction in their binary form. The zero
// value is an empty batch ready for use. A batch is not safe for concurrent
// use while it is being changed.
type Batch struct {
	buf    []byte // head and events; the head is only right while sealed
	n      int
	sealed bool
	part   bool // buf is events alone, and another batch's memory
}

// BatchIn returns an empty batch that uses the memory of buf for its events.
func BatchIn(buf []byte) Batch { return Batch{buf: buf[:0]} }

// Len returns the number of events.
func (b *Batch) Len() int { return b.n }

// Size returns the length of the events in bytes, as encoded.
func (b *Batch) Size() int { return len(b.events()) }

func (b *Batch) events() []byte {
	if b.part || len(b.buf) == 0 {
		return b.buf
	}
	return b.buf[HeadSize:]
}

// Append adds a copy of e at the end. It panics if the batch would hold more
// than MaxSize bytes; sources bound their batches far below that.
func (b *Batch) Append(e Event) {
	b.grow(len(e.Headers.enc) + len(e.Body) + 2*binary.MaxVarintLen32)
	b.buf = binary.AppendUvarint(b.buf, uint64(len(e.Headers.enc)))
	b.buf = append(b.buf, e.Headers.enc...)
	b.buf = binary.AppendUvarint(b.buf, uint64(len(e.Body)))
	b.buf = append(b.buf, e.Body...)
	b.n++
}

// AppendFields adds an event whose headers are keys and values in turn, each
// key once. It copies what it is given, allocates nothing else, and panics as
// Append does; it is for those that read another binary form.
func (b *Batch) AppendFields(headers [][]byte, body []byte) {
	size := 0
	for _, field := range headers {
		size += uvarintLen(len(field)) + len(field)
	}
	b.grow(size + len(body) + 2*binary.MaxVarintLen32)
	b.buf = binary.AppendUvarint(b.buf, uint64(size))
	for _, field := range headers {
		b.buf = append(binary.AppendUvarint(b.buf, uint64(len(field))), field...)
	}
	b.buf = append(binary.AppendUvarint(b.buf, uint64(len(body))), body...)
	b.n++
}

// uvarintLen returns how many bytes n takes as an unsigned varint.
func uvarintLen(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }

// AppendBatch adds copies of other's events at the end. It panics as Append does.
func (b *Batch) AppendBatch(other *Batch) {
	if other.n == 0 {
		return
	}
	b.grow(other.Size())
	b.buf = append(b.buf, other.events()...)
	b.n += other.n
}

func (b *Batch) grow(n int) {
	if b.Size() > MaxSize-n {
		panic(fmt.Sprintf("event: a batch of %d bytes cannot hold %d more", b.Size(), n))
	}
	switch {
	case b.part:
		b.buf = append(make([]byte, HeadSize, HeadSize+len(b.buf)+n), b.buf...)
		b.part = false
	case len(b.buf) == 0:
		b.buf = append(slices.Grow(b.buf, HeadSize+n), make([]byte, HeadSize)...)
	}
	b.sealed = false
}

// Reserve makes room for n more bytes of events, so that appending them moves
// nothing.
func (b *Batch) Reserve(n int) {
	b.grow(n)
	b.buf = slices.Grow(b.buf, n)
}

// Reset empties the batch and keeps its memory for what is appended next. It
// ends the life of the events that were read from it.
func (b *Batch) Reset() {
	if b.part {
		b.buf = nil
	}
	b.buf = b.buf[:0]
	b.n, b.sealed, b.part = 0, false, false
}

// Clone returns a copy of b that shares no memory with it.
func (b *Batch) Clone() *Batch {
	return &Batch{buf: append([]byte(nil), b.buf...), n: b.n, sealed: b.sealed, part: b.part}
}

// All ranges over the events in order. They share the batch's memory: see Event.
func (b *Batch) All() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for enc := b.events(); len(enc) > 0; {
			var e Event
			e.Headers.enc, enc = take(enc)
			e.Body, enc = take(enc)
			if !yield(e) {
				return
			}
		}
	}
}

// BodySizes ranges over the lengths of the events' bodies in order.
func (b *Batch) BodySizes() iter.Seq[int] {
	return func(yield func(int) bool) {
		for enc := b.events(); len(enc) > 0; {
			begin, n := length(enc)
			enc = enc[begin+int(n):]
			begin, n = length(enc)
			if !yield(int(n)) {
				return
			}
			enc = enc[begin+int(n):]
		}
	}
}

// Split ranges over the events in batches of at most most events each, in
// order. It yields b itself when that holds no more. A part shares b's memory
// and is valid as long as b is.
func (b *Batch) Split(most int) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		if b.n <= most {
			if b.n > 0 {
				yield(b)
			}
			return
		}
		for enc := b.events(); len(enc) > 0; {
			part := Batch{part: true}
			rest := enc
			for part.n < most && len(rest) > 0 {
				_, rest = take(rest)
				_, rest = take(rest)
				part.n++
			}
			end := len(enc) - len(rest)
			part.buf = enc[:end:end]
			if !yield(&part) {
				return
			}
			enc = rest
		}
	}
}

// Encoded returns the batch's binary form. It is the batch's own memory: valid
// until the batch is changed, and not to be written to.
func (b *Batch) Encoded() []byte {
	if !b.sealed {
		b.grow(0)
		head := b.buf[:HeadSize]
		head[0], head[1], head[2], head[3] = version, 0, 0, 0
		binary.BigEndian.PutUint32(head[4:], uint32(b.n))
		binary.BigEndian.PutUint32(head[8:], uint32(b.Size()))
		binary.BigEndian.PutUint32(head[12:], checksum(b.buf))
		b.sealed = true
	}
	return b.buf
}

// Decode makes b the batch whose binary form enc is, whole, and makes enc b's
// own memory. It checks all of it, so that reading the events cannot fail, and
// allocates nothing. Its errors wrap ErrMalformed; b is empty after one.
func (b *Batch) Decode(enc []byte) error {
	*b = Batch{}
	if len(enc) < HeadSize {
		return fmt.Errorf("%w: %d bytes, shorter than a batch's head", ErrMalformed, len(enc))
	}
	if enc[0] != version || enc[1]|enc[2]|enc[3] != 0 {
		return fmt.Errorf("%w: version %x, not 01000000", ErrMalformed, enc[:4])
	}
	n, size := binary.BigEndian.Uint32(enc[4:]), binary.BigEndian.Uint32(enc[8:])
	if uint64(size) != uint64(len(enc)-HeadSize) {
		return fmt.Errorf("%w: %d bytes of events where the head says %d", ErrMalformed, len(enc)-HeadSize, size)
	}
	if got, want := checksum(enc), binary.BigEndian.Uint32(enc[12:]); got != want {
		return fmt.Errorf("%w: checksum %08x where the head says %08x", ErrMalformed, got, want)
	}
	found := uint32(0)
	for rest := enc[HeadSize:]; len(rest) > 0; found++ {
		var headers []byte
		var ok bool
		if headers, rest, ok = tryTake(rest); !ok {
			return fmt.Errorf("%w: event %d's headers run past its end", ErrMalformed, found)
		}
		for fields := 0; len(headers) > 0 || fields%2 != 0; fields++ {
			if _, headers, ok = tryTake(headers); !ok {
				return fmt.Errorf("%w: event %d has a broken header", ErrMalformed, found)
			}
		}
		if _, rest, ok = tryTake(rest); !ok {
			return fmt.Errorf("%w: event %d's body runs past its end", ErrMalformed, found)
		}
	}
	if found != n {
		return fmt.Errorf("%w: %d events where the head says %d", ErrMalformed, found, n)
	}
	b.buf, b.n, b.sealed = enc, int(n), true
	return nil
}

func checksum(enc []byte) uint32 {
	return crc32.Update(crc32.Checksum(enc[:12], castagnoli), castagnoli, enc[HeadSize:])
}

// take splits a length-prefixed field off enc, which is known to be well-formed.
func take(enc []byte) (field, rest []byte) {
	begin, n := length(enc)
	end := begin + int(n)
	return enc[begin:end:end], enc[end:]
}

// tryTake is take for bytes that nothing is known of.
func tryTake(enc []byte) (field, rest []byte, ok bool) {
	begin, n := length(enc)
	if begin <= 0 || n > uint64(len(enc)-begin) {
		return nil, nil, false
	}
	end := begin + int(n)
	return enc[begin:end:end], enc[end:], true
}

// length is binary.Uvarint with its result the other way round, and quick where one
// or two bytes say it: that is nearly every header, and most bodies.
func length(enc []byte) (begin int, n uint64) {
	if len(enc) > 1 {
		if enc[0] < 0x80 {
			return 1, uint64(enc[0])
		}
		if enc[1] < 0x80 {
			return 2, uint64(enc[0]&0x7f) | uint64(enc[1])<<7
		}
	}
	n, begin = binary.Uvarint(enc)
	return begin, n
}
