package syslog

import "bytes"

// Splitter cuts the bytes of a TCP connection into messages, as RFC 6587 has
// them: each ends with a newline, or its length in bytes and a blank stand
// before it. Each message may be of either kind.
type Splitter struct {
	// Size is the most bytes of a message. Of a longer one, the first part
	// is a message that is cut, and what follows is taken for another.
	Size int

	left int // of a message with a length, what is not yet taken
}

// Next returns the first message of buf and how many bytes it took, with all
// that belongs to it. If n is 0 there is no whole message in buf; then, if buf
// has room for Size bytes and a length, more must be read. Empty messages are
// passed over: msg is nil, and n is not 0.
//
// Flume: knows no lengths; takes a message that is exactly as long as it may
// be for one that is cut, or loses it and others with it; and a newline within
// "<...>" does not end a message there.
func (s *Splitter) Next(buf []byte) (msg []byte, n int, cut bool) {
	head := 0
	if s.left == 0 {
		length, end, more := measure(buf)
		if more {
			return nil, 0, false
		}
		if end == 0 {
			return s.line(buf)
		}
		s.left, head = length, end
	}
	take := min(s.left, s.Size)
	if len(buf)-head < take {
		if head > 0 {
			s.left = 0 // it is measured again
		}
		return nil, 0, false
	}
	s.left -= take
	msg, n, cut = buf[head:head+take], head+take, s.left > 0
	if !cut {
		// rsyslog's formats have a newline at the end and count it.
		msg = bytes.TrimSuffix(msg, []byte{'\n'})
	}
	return msg, n, cut
}

// line returns the first line.
func (s *Splitter) line(buf []byte) (msg []byte, n int, cut bool) {
	end := bytes.IndexByte(buf[:min(len(buf), s.Size+1)], '\n')
	switch {
	case end == 0:
		return nil, 1, false
	case end > 0:
		return buf[:end], end + 1, false
	case len(buf) > s.Size:
		return buf[:s.Size], s.Size, true
	}
	return nil, 0, false
}

// Rest returns what is left of a connection that has ended, as Next does: what
// has no newline counts all the same, what has not all of its length is cut.
//
// Flume: drops it.
func (s *Splitter) Rest(buf []byte) (msg []byte, n int, cut bool) {
	if msg, n, cut = s.Next(buf); n > 0 || len(buf) == 0 {
		return msg, n, cut
	}
	if s.left > 0 {
		return buf, len(buf), true
	}
	if _, end, more := measure(buf); end > 0 && !more {
		return buf[end:], len(buf), true
	}
	most := min(len(buf), s.Size)
	return buf[:most], most, most < len(buf)
}

// maxDigits is the most digits of a length.
const maxDigits = 9

// measure reads the length that stands before a message and where that
// begins; end is 0 if there is none. More says that more must be read to know.
func measure(buf []byte) (length, end int, more bool) {
	i := 0
	for ; i < len(buf) && isDigit(buf[i]); i++ {
		if i == maxDigits || i == 0 && buf[0] == '0' {
			return 0, 0, false
		}
		length = 10*length + int(buf[i]-'0')
	}
	switch {
	case i == 0:
		return 0, 0, false
	case i == len(buf) || buf[i] == ' ' && i+1 == len(buf):
		return 0, 0, true
	case buf[i] == ' ' && buf[i+1] == '<':
		return length, i + 1, false
	}
	return 0, 0, false
}
