package eventtext

import (
	"slices"
	"unicode/utf16"

	"github.com/flumekit/flumekit/pkg/event"
)

// AppendHeaders appends h as Java prints a HashMap, {k1=v1, k2=v2}, and returns
// the extended slice. Nothing is quoted. The order is that of a HashMap into
// which the headers were put one after the other.
func AppendHeaders(dst []byte, h event.Headers) []byte {
	dst = append(dst, '{')
	start := len(dst)

	// Each header is written where it comes, then all are put in order:
	// that needs no memory of its own.
	var some [8]entry
	entries := some[:0]
	for key, value := range h.All() {
		at := len(dst)
		dst = append(dst, key...)
		dst = append(dst, '=')
		dst = append(dst, value...)
		dst = append(dst, ", "...)
		entries = append(entries, entry{hash: spread(key), at: at, end: len(dst)})
	}
	if len(entries) == 0 {
		return append(dst, '}')
	}
	if len(entries) > 1 {
		mask := buckets(len(entries)) - 1
		slices.SortStableFunc(entries, func(a, b entry) int {
			return int(a.hash&mask) - int(b.hash&mask)
		})
		end := len(dst)
		for _, e := range entries {
			dst = append(dst, dst[e.at:e.end]...)
		}
		copy(dst[start:], dst[end:])
		dst = dst[:end]
	}
	return append(dst[:len(dst)-len(", ")], '}')
}

// entry is a header that was written to dst[at:end].
type entry struct {
	hash    uint32
	at, end int
}

// buckets returns how many a Java HashMap has after n keys were put into it.
func buckets(n int) uint32 {
	size := 16
	for 4*n > 3*size {
		size *= 2
	}
	return uint32(size)
}

// spread returns what a Java HashMap makes of the hash code of key.
func spread(key string) uint32 {
	var h uint32
	for _, r := range key {
		if high, low := utf16.EncodeRune(r); r > 0xffff {
			h = (h*31+uint32(high))*31 + uint32(low)
		} else {
			h = h*31 + uint32(r)
		}
	}
	return h ^ h>>16
}
