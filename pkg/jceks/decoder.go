package jceks

import (
	"encoding/binary"
	"fmt"
)

// decoder reads Java's DataOutputStream form. After the first fault it returns
// zero values and keeps err. It never reads or allocates beyond data.
type decoder struct {
	data []byte
	at   int
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("at offset %d: %w", d.at, fmt.Errorf(format, args...))
	}
}

// bytes returns the next n bytes; they are part of data.
func (d *decoder) bytes(n uint32) []byte {
	if d.err == nil && uint64(n) > uint64(len(d.data)-d.at) {
		d.fail("it ends in the middle: %d bytes wanted, %d left", n, len(d.data)-d.at)
	}
	if d.err != nil {
		return nil
	}
	d.at += int(n)
	return d.data[d.at-int(n) : d.at]
}

func (d *decoder) uint8() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// utf returns a string in Java's modified UTF-8, as it stands.
func (d *decoder) utf() string {
	return string(d.bytes(uint32(d.uint16())))
}
