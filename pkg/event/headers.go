package event

import (
	"encoding/binary"
	"iter"
)

// Headers are an event's headers: keys and values in the order in which they
// were set, each key once. The zero value has none. Headers are values: With
// and Without return changed copies and leave the receiver as it is.
type Headers struct {
	enc []byte // well-formed, by construction or by Batch.Decode
}

// NewHeaders returns headers made of keys and values in turn. It panics if a
// key lacks its value.
func NewHeaders(keysAndValues ...string) Headers {
	if len(keysAndValues)%2 != 0 {
		panic("event: NewHeaders: a key without a value")
	}
	var h Headers
	for i := 0; i < len(keysAndValues); i += 2 {
		if _, ok := h.Get(keysAndValues[i]); ok {
			h = h.With(keysAndValues[i], keysAndValues[i+1])
			continue
		}
		h.enc = appendHeader(h.enc, keysAndValues[i], keysAndValues[i+1])
	}
	return h
}

// Empty reports whether there are no headers.
func (h Headers) Empty() bool { return len(h.enc) == 0 }

// Len returns how many headers there are. It takes time in proportion.
func (h Headers) Len() int {
	n := 0
	for enc := h.enc; len(enc) > 0; n++ {
		_, _, enc = nextHeader(enc)
	}
	return n
}

// Get returns the value of key and whether there is one.
func (h Headers) Get(key string) (value string, ok bool) {
	for enc := h.enc; len(enc) > 0; {
		var k, v []byte
		k, v, enc = nextHeader(enc)
		if string(k) == key {
			return string(v), true
		}
	}
	return "", false
}

// All ranges over the headers in order.
func (h Headers) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for enc := h.enc; len(enc) > 0; {
			var k, v []byte
			k, v, enc = nextHeader(enc)
			if !yield(string(k), string(v)) {
				return
			}
		}
	}
}

// With returns the headers with key set to value: in its place if it was
// there, else at the end.
func (h Headers) With(key, value string) Headers {
	out := make([]byte, 0, len(h.enc)+len(key)+len(value)+2*binary.MaxVarintLen32)
	found := false
	for enc := h.enc; len(enc) > 0; {
		before := enc
		var k []byte
		k, _, enc = nextHeader(enc)
		if string(k) == key {
			found = true
			out = appendHeader(out, key, value)
			continue
		}
		out = append(out, before[:len(before)-len(enc)]...)
	}
	if !found {
		out = appendHeader(out, key, value)
	}
	return Headers{enc: out}
}

// Without returns the headers less key.
func (h Headers) Without(key string) Headers {
	for enc := h.enc; len(enc) > 0; {
		before := enc
		var k []byte
		k, _, enc = nextHeader(enc)
		if string(k) == key {
			out := make([]byte, 0, len(h.enc))
			out = append(out, h.enc[:len(h.enc)-len(before)]...)
			return Headers{enc: append(out, enc...)}
		}
	}
	return h
}

func appendHeader(dst []byte, key, value string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = append(dst, key...)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// nextHeader splits the first header off well-formed enc.
func nextHeader(enc []byte) (key, value, rest []byte) {
	key, enc = take(enc)
	value, enc = take(enc)
	return key, value, enc
}
