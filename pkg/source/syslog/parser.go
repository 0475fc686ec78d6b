package syslog

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
)

// Parser makes events of messages. It is not safe for concurrent use. Its
// fields are set before the first message.
type Parser struct {
	Dialect Dialect
	Keep    KeepFields
	Custom  *Custom        // a format that is tried before the others; nil: none
	Charset option.Charset // what Multiport's messages are written in
	Zone    *time.Location // of times that name none; nil: the system's
	// Extra are headers that every event has besides, keys and values in
	// turn. They replace those of the message.
	Extra []string

	now   time.Time
	since time.Time // the heads below were made at this time or later
	known [64]head  // by priority
	free  head      // what is not worth knowing
	body  []byte    // made of several parts
}

// head is the beginning of a message, up to its body, and what became of it.
// Messages that follow one another often begin alike: then nothing is parsed.
type head struct {
	prefix  []byte
	headers event.Headers // in batch's memory
	kept    []byte        // what keepFields puts before the body

	batch  event.Batch
	fields [][]byte
	text   []byte // where fields are
}

// fresh is how long a head is known: the year of an RFC 3164 time depends on
// the present.
const fresh = time.Minute

// At tells p the time, before each batch.
func (p *Parser) At(now time.Time) {
	p.now = now
	if age := now.Sub(p.since); 0 <= age && age < fresh {
		return
	}
	p.since = now
	for i := range p.known {
		p.known[i].prefix = p.known[i].prefix[:0]
	}
}

// Append appends the event that msg makes to b. Of msg, which is not kept, cut
// says that its end is missing.
//
// Flume: syslogtcp and syslogudp write U+FFFD for what is not UTF-8 in a body,
// and put the priority and version of one message into the headers of a later
// one that has none.
func (p *Parser) Append(b *event.Batch, msg []byte, cut bool) {
	if p.Dialect == Multiport {
		if !p.Charset.UTF8() {
			p.appendDecoded(b, msg, cut)
			return
		}
		// Flume: cuts a message at a NUL byte; here that is a byte as others.
		if !utf8.Valid(msg) {
			p.append(b, p.bare(-1, invalid), msg)
			return
		}
	}
	p.parse(b, msg, msg, cut, nil)
}

// appendDecoded is Append for a message in another character set than UTF-8.
// Its headers are in UTF-8, its body as it came.
func (p *Parser) appendDecoded(b *event.Batch, msg []byte, cut bool) {
	charset := p.Charset.Encoding()
	text, err := charset.NewDecoder().Bytes(msg)
	if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
		p.append(b, p.bare(-1, invalid), msg)
		return
	}
	p.parse(b, text, msg, cut, charset.NewEncoder())
}

// parse appends the event that text makes. Whole is the message as it came,
// and encode, if not nil, makes of a part of text what came.
func (p *Parser) parse(b *event.Batch, text, whole []byte, cut bool, encode *encoding.Encoder) {
	status := ""
	if cut {
		status = incomplete
	}
	pri, at := priority(text)
	if at == 0 {
		p.append(b, p.bare(-1, invalid), whole)
		return
	}
	var h *head
	if p.Custom != nil {
		if l, ok := p.Custom.match(text, p.zone()); ok {
			h = &p.free
			p.fill(h, text, pri, l, status)
			p.appendBody(b, h, l.bodyOf(text), whole, encode)
			return
		}
	}
	h = &p.known[pri%len(p.known)]
	if len(h.prefix) == 0 || cut || !bytes.HasPrefix(text, h.prefix) {
		l, ok := p.locate(text, at)
		switch {
		case !ok && p.Dialect == Multiport:
			p.append(b, p.bare(pri, invalid), whole)
			return
		case !ok:
			p.append(b, p.bare(pri, status), whole)
			return
		case cut || l.time == present:
			h = &p.free
		}
		p.fill(h, text, pri, l, status)
		if h != &p.free {
			h.prefix = append(h.prefix[:0], text[:l.body]...)
		}
		p.appendBody(b, h, text[l.body:], whole, encode)
		return
	}
	p.appendBody(b, h, text[len(h.prefix):], whole, encode)
}

// priority returns the number at the message's beginning and where that ends,
// 0 if there is none.
//
// Flume: multiport_syslogtcp takes any number of up to five characters.
func priority(text []byte) (pri, end int) {
	if len(text) == 0 || text[0] != '<' {
		return 0, 0
	}
	for i, c := range text[1:min(len(text), 5)] {
		switch {
		case '0' <= c && c <= '9' && i < 3:
			pri = 10*pri + int(c-'0')
		case c == '>' && i > 0:
			return pri, i + 2
		default:
			return 0, 0
		}
	}
	return 0, 0
}

// bare returns the head of a message that is kept as it came. Pri is -1 if it
// has none.
//
// Flume: in multiport_syslogtcp such a message has no Facility and Severity even
// where it has a priority.
func (p *Parser) bare(pri int, status string) *head {
	h := &p.free
	h.begin()
	switch {
	case pri >= 0:
		h.priority(pri)
	case p.Dialect == Single:
		h.priority(0)
	}
	if status != "" {
		h.add(statusHeader, status)
	}
	h.end(p.Extra)
	return h
}

// fill sets h to what is located in text.
func (p *Parser) fill(h *head, text []byte, pri int, l layout, status string) {
	h.begin()
	h.priority(pri)
	digits, version, stamp, host := l.priority.of(text), l.version.of(text), l.stamp.of(text), l.host.of(text)
	if len(digits) > 0 {
		h.addText(p.Dialect.priorityHeader(), digits)
	}
	if len(version) > 0 {
		h.addText(p.Dialect.versionHeader(), version)
	}
	switch millis, ok := p.millis(stamp, l); {
	case ok:
		h.addNumber(timestampHeader, millis)
	case p.Dialect == Multiport && l.time == present:
		h.addNumber(timestampHeader, p.now.UnixMilli())
	}
	// Flume: in multiport_syslogtcp a host that is not told is the host "-",
	// or empty.
	if len(host) > 0 && !isNil(host) {
		h.addText(hostHeader, host)
	}
	if status != "" {
		h.add(statusHeader, status)
	}
	h.end(p.Extra)
	h.kept = p.Keep.prefix(h.kept[:0], digits, version, stamp, host)
}

// appendBody appends an event with the body as keepFields wants it.
func (p *Parser) appendBody(b *event.Batch, h *head, body, whole []byte, encode *encoding.Encoder) {
	switch {
	case p.Keep == KeepAll || len(body) == 0:
		p.append(b, h, whole)
	case len(h.kept) == 0 && encode == nil:
		p.append(b, h, body)
	default:
		p.body = append(append(p.body[:0], h.kept...), body...)
		if encode == nil {
			p.append(b, h, p.body)
			return
		}
		encoded, err := encode.Bytes(p.body)
		if err != nil { // what was decoded can be encoded
			encoded = whole
		}
		p.append(b, h, encoded)
	}
}

func (p *Parser) append(b *event.Batch, h *head, body []byte) {
	b.Append(event.Event{Headers: h.headers, Body: body})
}

func (p *Parser) zone() *time.Location {
	if p.Zone == nil {
		return time.Local
	}
	return p.Zone
}

// begin empties h, whose memory is used again.
func (h *head) begin() {
	h.prefix, h.fields, h.text, h.kept = h.prefix[:0], h.fields[:0], h.text[:0], h.kept[:0]
}

// priority adds what pri stands for.
func (h *head) priority(pri int) {
	h.addNumber(facilityHeader, int64(pri/8))
	h.addNumber(severityHeader, int64(pri%8))
}

// The values of headers are copied to where they stay as long as h does.

func (h *head) add(name, value string) {
	h.text = append(append(h.text, name...), value...)
	h.added(len(name), len(value))
}

func (h *head) addText(name string, value []byte) {
	h.text = append(append(h.text, name...), value...)
	h.added(len(name), len(value))
}

func (h *head) addNumber(name string, value int64) {
	from := len(h.text)
	h.text = strconv.AppendInt(append(h.text, name...), value, 10)
	h.added(len(name), len(h.text)-from-len(name))
}

// added makes what was last written to text a field.
func (h *head) added(name, value int) {
	end := len(h.text)
	h.fields = append(h.fields, h.text[end-value-name:end-value], h.text[end-value:])
}

// end makes the fields headers, with extra ones.
func (h *head) end(extra []string) {
	for i := 0; i < len(extra); i += 2 {
		h.set(extra[i], extra[i+1])
	}
	h.batch.Reset()
	h.batch.AppendFields(h.fields, nil)
	for e := range h.batch.All() {
		h.headers = e.Headers
	}
}

// set is add for a name that may be there.
func (h *head) set(name, value string) {
	for i := 0; i < len(h.fields); i += 2 {
		if string(h.fields[i]) == name {
			h.fields[i+1] = []byte(value)
			return
		}
	}
	h.add(name, value)
}
