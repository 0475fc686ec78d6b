package rpc

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// Avro's long is what encoding/binary calls a varint; its string and bytes are
// a long and so many bytes.

func appendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendVarint(dst, int64(len(s))), s...)
}

// decoder reads Avro's binary form. After a failure err is set, and all that is
// read is zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
		d.rest = nil
	}
}

func (d *decoder) long() int64 {
	if len(d.rest) > 0 && d.rest[0] < 0x80 { // nearly every length but a body's
		n := d.rest[0]
		d.rest = d.rest[1:]
		return int64(n>>1) ^ -int64(n&1)
	}
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail("a number that has no end")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// take returns the next n bytes, which are d's memory.
func (d *decoder) take(n int64) []byte {
	if n < 0 || n > int64(len(d.rest)) {
		d.fail("a length of %d bytes where %d are left", n, len(d.rest))
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) bytes() []byte { return d.take(d.long()) }

// block returns the number of items in the next block of an array or a map; 0
// is its end.
func (d *decoder) block() int64 {
	n := d.long()
	if n >= 0 {
		return n
	}
	d.long() // its size in bytes, for those who pass over it
	if n = -n; n < 0 {
		d.fail("a block of too many items")
		return 0
	}
	return n
}

// pairs reads a map of bytes or strings, to its end or until d fails.
func (d *decoder) pairs() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for n := d.block(); n > 0; n = d.block() {
			for ; n > 0; n-- {
				key, value := d.bytes(), d.bytes()
				if d.err != nil || !yield(key, value) {
					return
				}
			}
		}
	}
}

// skipMap passes over a map.
func (d *decoder) skipMap() {
	for range d.pairs() {
	}
}

// optional reads the index of a union of null and something, and reports
// whether the something follows.
func (d *decoder) optional() bool {
	switch branch := d.long(); {
	case d.err != nil || branch == 0:
		return false
	case branch == 1:
		return true
	default:
		d.fail("branch %d of a union of two", branch)
		return false
	}
}
