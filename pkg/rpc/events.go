package rpc

import (
	"encoding/binary"

	"github.com/flumekit/flumekit/pkg/event"
)

// maxHeaders is the most headers that an event may have, here as elsewhere a
// bound on what a few bytes can make us allocate.
const maxHeaders = 1 << 16

// appendEvent appends e as an AvroFlumeEvent.
func appendEvent(dst []byte, e event.Event) []byte {
	if !e.Headers.Empty() {
		dst = binary.AppendVarint(dst, int64(e.Headers.Len()))
		for k, v := range e.Headers.All() {
			dst = appendString(dst, k)
			dst = appendString(dst, v)
		}
	}
	dst = append(dst, 0)
	return appendString(dst, e.Body)
}

// appendEvents appends the events of b as an array.
func appendEvents(dst []byte, b *event.Batch) []byte {
	if b.Len() > 0 {
		dst = binary.AppendVarint(dst, int64(b.Len()))
		for e := range b.All() {
			dst = appendEvent(dst, e)
		}
	}
	return append(dst, 0)
}

// eventReader reads events; it is used again for its memory.
type eventReader struct {
	fields [][]byte
	places map[string]int
}

// array reads an array of events into b.
func (r *eventReader) array(d *decoder, b *event.Batch) {
	for n := d.block(); n > 0 && d.err == nil; n = d.block() {
		for ; n > 0 && d.err == nil; n-- {
			r.one(d, b)
		}
	}
}

// one reads an event into b.
func (r *eventReader) one(d *decoder, b *event.Batch) {
	r.fields = r.fields[:0]
	switch n := len(r.places); {
	case n > manyPlaces:
		r.places = nil // emptying it would cost as much for every event to come
	case n > 0:
		clear(r.places)
	}
	for n := d.block(); n > 0 && d.err == nil; n = d.block() {
		for ; n > 0 && d.err == nil; n-- {
			r.set(d.bytes(), d.bytes())
			if len(r.fields) > 2*maxHeaders {
				d.fail("an event of more than %d headers", maxHeaders)
			}
		}
	}
	if body := d.bytes(); d.err == nil {
		b.AppendFields(r.fields, body)
	}
}

const (
	few        = 8   // so many headers are compared one by one
	manyPlaces = 256 // a map of more is not used again
)

// set adds a header, or replaces the value of one that is there: of several of
// one key the last counts, as in Java's maps.
func (r *eventReader) set(key, value []byte) {
	if len(r.fields) < 2*few {
		for i := 0; i < len(r.fields); i += 2 {
			if string(r.fields[i]) == string(key) {
				r.fields[i+1] = value
				return
			}
		}
		r.fields = append(r.fields, key, value)
		return
	}
	if r.places == nil {
		r.places = make(map[string]int)
	}
	if len(r.places) == 0 {
		for i := 0; i < len(r.fields); i += 2 {
			r.places[string(r.fields[i])] = i
		}
	}
	if i, ok := r.places[string(key)]; ok {
		r.fields[i+1] = value
		return
	}
	r.places[string(key)] = len(r.fields)
	r.fields = append(r.fields, key, value)
}
