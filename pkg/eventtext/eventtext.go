// Package eventtext is an event as text for people, in Flume's words: the
// logger sink's dump, and headers as Java prints a map.
package eventtext

import (
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// DefaultBytes is how many bytes of a body Flume's logger sink shows.
const DefaultBytes = 16

// AppendLine appends the line, with its newline, that the logger sink prints
// for e, received at at, and returns the extended slice:
//
//	2019-05-30 22:50:45,479 INFO sink.LoggerSink: Event: { headers:{} body: 68 69                                           hi }
func AppendLine(dst []byte, at time.Time, e event.Event, most int) []byte {
	dst = at.AppendFormat(dst, "2006-01-02 15:04:05,000")
	dst = append(dst, " INFO sink.LoggerSink: Event: "...)
	return append(Append(dst, e, most), '\n')
}

// Append appends the headers and the first most bytes of the body of e, as
// Flume's EventHelper dumps them, and returns the extended slice. A row of the
// dump holds 16 bytes, in hexadecimal and then as ASCII. Rows after the first
// stand on lines of their own and start with their offset.
func Append(dst []byte, e event.Event, most int) []byte {
	dst = append(dst, "{ headers:"...)
	dst = AppendHeaders(dst, e.Headers)
	dst = append(dst, " body:"...)
	body := e.Body[:min(len(e.Body), most)]
	for at := 0; at < len(body); at += rowSize {
		if at > 0 {
			dst = append(dst, '\n')
			dst = appendOffset(dst, at)
		}
		dst = appendRow(dst, body[at:min(at+rowSize, len(body))])
	}
	return append(dst, " }"...)
}

const (
	rowSize = 16
	hex     = "0123456789ABCDEF"
)

func appendOffset(dst []byte, at int) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, hex[at>>shift&0xf])
	}
	return dst
}

func appendRow(dst, row []byte) []byte {
	dst = append(dst, ' ')
	for _, c := range row {
		dst = append(dst, hex[c>>4], hex[c&0xf], ' ')
	}
	for range rowSize - len(row) {
		dst = append(dst, "   "...)
	}
	for _, c := range row {
		if c < ' ' || c > '~' {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}
