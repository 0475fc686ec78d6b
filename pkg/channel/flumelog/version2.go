package flumelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
)

// magic2 stands at the start of every record of version 2, which has no length.
const magic2 = 0xDEADBEEF

// decoder2 reads a record of version 2: Java's DataOutput form, big-endian. When b
// is too short, need is how many bytes of it are wanted at least.
type decoder2 struct {
	b    []byte
	at   int64
	need int64
	err  error
}

// decode2 reads the record at the start of b. For a put it returns the event;
// its body is part of b.
func decode2(b []byte) (rec record, e event.Event, d decoder2) {
	d = decoder2{b: b}
	if m := d.number(4); d.err == nil && m != magic2 {
		d.err = fmt.Errorf("the record starts with %#08x", m)
	}
	rec = record{kind: kind(d.number(2)), txn: int64(d.number(8)), order: int64(d.number(8))}
	if d.err != nil {
		return rec, e, d
	}
	switch rec.kind {
	case put:
		e = d.event()
	case take:
		offset := int32(d.number(4))
		rec.taken = pointerTo(int32(d.number(4)), int64(offset))
	case commit:
		if rec.commit = kind(d.number(2)); d.err == nil && rec.commit != put && rec.commit != take {
			d.err = fmt.Errorf("the record commits transactions of type %d", rec.commit)
		}
	case rollback:
	default:
		d.err = fmt.Errorf("%d is no type of record", rec.kind)
	}
	return rec, e, d
}

// event reads an event: no names of classes, headers, body.
func (d *decoder2) event() event.Event {
	if n := d.number(1); d.err == nil && n != 0 {
		d.err = fmt.Errorf("the event names %d classes", n)
	}
	var pairs []string
	for range d.number(4) {
		key := d.text()
		value := d.text()
		if d.err != nil {
			return event.Event{}
		}
		pairs = append(pairs, key, value)
	}
	n := int64(int32(d.number(4)))
	if n == -1 {
		n = 0 // a body that was null
	}
	body := d.bytes(n)
	if d.err != nil {
		return event.Event{}
	}
	return event.Event{Headers: event.NewHeaders(pairs...), Body: body}
}

// text reads a string: the mark of its class, its length as a vint, UTF-8.
func (d *decoder2) text() string {
	if mark := d.number(1); d.err == nil && mark != 0x8C {
		d.err = fmt.Errorf("a header is marked %#02x", mark)
	}
	return string(d.bytes(d.vint()))
}

// vint reads a number in the form of Hadoop's WritableUtils: one byte, or a byte
// that tells sign and length and then those bytes.
func (d *decoder2) vint() int64 {
	first := int8(d.number(1))
	switch {
	case first >= -112:
		return int64(first)
	case first >= -120:
		return int64(d.number(-112 - int(first)))
	}
	if d.err == nil {
		d.err = errors.New("a length is negative")
	}
	return 0
}

func (d *decoder2) number(size int) uint64 {
	b := d.bytes(int64(size))
	if d.err != nil {
		return 0
	}
	return binary.BigEndian.Uint64(slices.Concat(make([]byte, 8-size), b))
}

func (d *decoder2) bytes(n int64) []byte {
	if d.err == nil && n < 0 {
		d.err = errors.New("a length is negative")
	}
	if d.err == nil && n > int64(len(d.b))-d.at {
		d.need, d.err = d.at+n, errCut
	}
	if d.err != nil {
		return nil
	}
	d.at += n
	return d.b[d.at-n : d.at]
}
