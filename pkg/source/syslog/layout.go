package syslog

import "net/netip"

// layout is where the parts of a message are.
type layout struct {
	priority, version, stamp, host span
	body                           int // where it begins
	bodyEnd                        int // where it ends, 0 at the message's end
	time                           timeKind
	millis                         int64 // of a custom time
}

type span struct{ from, to int }

func (s span) of(text []byte) []byte { return text[s.from:s.to] }

// bodyOf returns the body of the message.
func (l layout) bodyOf(text []byte) []byte {
	if l.bodyEnd > 0 {
		return text[l.body:l.bodyEnd]
	}
	return text[l.body:]
}

// timeKind is how a time is written.
type timeKind int

const (
	present timeKind = iota // not at all: "-"
	rfc3164
	rfc5424
	custom  // as layout.millis
	unknown // one that cannot be read
)

// locate finds the parts of a message whose priority ends at at.
//
// Flume: multiport_syslogtcp knows no version but 1, and has nothing but blanks
// between the parts; syslogtcp and syslogudp know no message with a carriage
// return in it. Here a carriage return at the end is part of the body.
func (p *Parser) locate(text []byte, at int) (layout, bool) {
	l := layout{priority: span{1, at - 1}}
	if at < len(text) && isDigit(text[at]) {
		l.version = span{at, at + 1}
		if p.locateRest(&l, text, at+1) {
			return l, true
		}
	}
	l.version = span{}
	return l, p.locateRest(&l, text, at)
}

// locateRest finds the parts that follow the version.
func (p *Parser) locateRest(l *layout, text []byte, at int) bool {
	if at < len(text) && isSpace(text[at]) {
		at++
	}
	var end int
	switch {
	case at >= len(text):
		return false
	case text[at] == '-':
		l.time, end = present, at+1
	case 'A' <= text[at] && text[at] <= 'Z':
		l.time, end = rfc3164, scan3164(text, at)
	default:
		l.time, end = rfc5424, scan5424(text, at)
	}
	if end == 0 || end >= len(text) || !isSpace(text[end]) {
		return false
	}
	l.stamp = span{at, end}
	at = end + 1
	for end = at; end < len(text) && !isSpace(text[end]); end++ {
	}
	if end == len(text) {
		return false
	}
	l.host, l.body = span{at, end}, end+1
	return p.Dialect == Multiport || l.isHost(text[at:end])
}

// isHost tells a host from the word that stands first where senders leave the
// host out.
//
// Flume: in syslogtcp and syslogudp no host has a colon; here it may be an
// address of IPv6, and in RFC 5424, where it cannot be left out, any word.
func (l *layout) isHost(word []byte) bool {
	if len(word) == 0 {
		return false
	}
	if l.time != rfc3164 {
		return true
	}
	if !isWord(word[0]) && word[0] != ':' {
		return false
	}
	for _, c := range word {
		if !isWord(c) && c != '.' && c != '@' && c != '-' {
			_, err := netip.ParseAddr(string(word))
			return err == nil
		}
	}
	return true
}

func isNil(word []byte) bool { return len(word) == 1 && word[0] == '-' }

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
}
