// Package eventjson is an event as one JSON object, the form in which events
// pass through programs that are not ours:
//
//	{"headers":{"host":"a","timestamp":"1"},"body":"text"}
//
// A body that is not valid UTF-8 stands as base64 (RFC 4648, padded) in
// "body64" in place of "body". Headers keep their order. An object never holds
// a newline byte, so that one can be put on each line.
package eventjson

import (
	"encoding/base64"
	"encoding/binary"
	"unicode/utf8"

	"github.com/flumekit/flumekit/pkg/event"
)

// Append appends e as one JSON object, without a newline after it, and returns
// the extended slice. A byte of a header that is not UTF-8 becomes U+FFFD;
// Flume's headers are Java strings and cannot hold one.
func Append(dst []byte, e event.Event) []byte {
	dst = append(dst, `{"headers":{`...)
	first := true
	for key, value := range e.Headers.All() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, key)
		dst = append(dst, ':')
		dst = appendString(dst, value)
	}
	if n := plain(e.Body); n < len(e.Body) && !utf8.Valid(e.Body[n:]) {
		dst = append(dst, `},"body64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, e.Body)
		return append(dst, `"}`...)
	}
	dst = append(dst, `},"body":`...)
	dst = appendString(dst, e.Body)
	return append(dst, '}')
}

func appendString[text string | []byte](dst []byte, s text) []byte {
	dst = append(dst, '"')
	for {
		n := plain(s)
		dst = append(dst, s[:n]...)
		s = s[n:]
		if len(s) == 0 {
			return append(dst, '"')
		}
		if s[0] < utf8.RuneSelf {
			dst = appendEscaped(dst, s[0])
			s = s[1:]
			continue
		}
		r, size := decodeRune(s)
		dst = utf8.AppendRune(dst, r)
		s = s[size:]
	}
}

func decodeRune[text string | []byte](s text) (rune, int) {
	return utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
}

func appendEscaped(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// plain returns how many bytes of s, from its start, stand in a JSON string as
// they are and are ASCII. It looks at eight at a time.
func plain[text string | []byte](s text) int {
	const ones = 0x0101010101010101
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		var eight [8]byte
		copy(eight[:], s[n:])
		w := binary.LittleEndian.Uint64(eight[:])
		quote, backslash := w^'"'*ones, w^'\\'*ones
		// The high bit of a byte is set in: bytes that have it; those less
		// than ' '; those that are zero after the exclusive or.
		special := w | (w - ' '*ones) | (quote - ones) | (backslash - ones)
		if special&(0x80*ones) != 0 {
			break
		}
	}
	for n < len(s) && s[n] >= ' ' && s[n] != '"' && s[n] != '\\' && s[n] < utf8.RuneSelf {
		n++
	}
	return n
}
