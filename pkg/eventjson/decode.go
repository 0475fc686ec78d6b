package eventjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

// MaxHeaders is the most headers that Decode takes in one event.
const MaxHeaders = 1000

// Decode reads one JSON object as Append writes it. White space is allowed
// where JSON allows it, the members may come in any order, and "headers" may be
// missing or null. Anything else is an error, a member of another name too:
// such an object means something to somebody, and a caller that keeps the line
// as a body loses nothing of it. Bytes of strings that are not UTF-8 are kept.
//
// The event may share line's memory. After an error line is as it was.
func Decode(line []byte) (event.Event, error) {
	d := decoder{rest: line}
	e, err := d.event()
	if err != nil {
		return event.Event{}, fault.Hint(fmt.Errorf("reading an event's JSON at byte %d: %w", len(line)-len(d.rest), err),
			`an event is {"headers":{"key":"value"},"body":"text"}, or "body64" and base64`)
	}
	return e, nil
}

// decoder reads from the start of rest and leaves there what follows.
type decoder struct {
	rest []byte
}

func (d *decoder) event() (event.Event, error) {
	var e event.Event
	var headers, body bool
	err := d.object(func(name []byte) error {
		switch string(name) {
		case "headers":
			if headers {
				return errors.New(`a second "headers"`)
			}
			headers = true
			var err error
			e.Headers, err = d.headers()
			return err
		case "body", "body64":
			if body {
				return errors.New("a second body")
			}
			body = true
			text, err := d.string()
			if err == nil && string(name) == "body64" {
				text, err = base64.StdEncoding.AppendDecode(nil, text)
			}
			e.Body = text
			return err
		}
		return fmt.Errorf("an event has no member %q", name)
	})
	if err != nil {
		return event.Event{}, err
	}
	if !body {
		return event.Event{}, errors.New("no body")
	}
	if d.next(); len(d.rest) > 0 {
		return event.Event{}, errors.New("more after the object")
	}
	return e, nil
}

func (d *decoder) headers() (event.Headers, error) {
	if d.next() == 'n' && bytes.HasPrefix(d.rest, []byte("null")) {
		d.rest = d.rest[len("null"):]
		return event.Headers{}, nil
	}
	var some [16]string
	fields := some[:0]
	err := d.object(func(name []byte) error {
		value, err := d.string()
		if err != nil {
			return fmt.Errorf("header %q: %w", name, err)
		}
		if len(fields) == 2*MaxHeaders {
			return fmt.Errorf("more than %d headers", MaxHeaders)
		}
		fields = append(fields, string(name), string(value))
		return nil
	})
	h := event.NewHeaders(fields...)
	if err == nil && 2*h.Len() < len(fields) {
		err = errors.New("a header that is there twice")
	}
	return h, err
}

// object reads an object and calls member with each name, to read the value.
func (d *decoder) object(member func(name []byte) error) error {
	if err := d.expect('{'); err != nil {
		return err
	}
	if d.next() == '}' {
		d.rest = d.rest[1:]
		return nil
	}
	for {
		name, err := d.string()
		if err != nil {
			return err
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
		if d.next() == '}' {
			d.rest = d.rest[1:]
			return nil
		}
		if err := d.expect(','); err != nil {
			return err
		}
	}
}

// string reads a string. The result is a part of the line if nothing in it was
// escaped.
func (d *decoder) string() ([]byte, error) {
	if err := d.expect('"'); err != nil {
		return nil, err
	}
	var text []byte
	for n := 0; ; {
		n += plain(d.rest[n:])
		for n < len(d.rest) && d.rest[n] >= utf8.RuneSelf {
			n++
		}
		switch {
		case n == len(d.rest):
			d.rest = d.rest[n:]
			return nil, errors.New("a string without its end")
		case d.rest[n] == '"':
			last := d.rest[:n:n]
			d.rest = d.rest[n+1:]
			if text == nil {
				return last, nil
			}
			return append(text, last...), nil
		case d.rest[n] == '\\':
			if text == nil {
				text = make([]byte, 0, n+2*utf8.UTFMax)
			}
			text = append(text, d.rest[:n]...)
			d.rest = d.rest[n:]
			r, err := d.escape()
			if err != nil {
				return nil, err
			}
			text = utf8.AppendRune(text, r)
			n = 0
		case d.rest[n] < ' ':
			d.rest = d.rest[n:]
			return nil, fmt.Errorf("a control character %q in a string", d.rest[0])
		}
	}
}

func (d *decoder) escape() (rune, error) {
	if len(d.rest) < 2 {
		return 0, errors.New("a string without its end")
	}
	c := d.rest[1]
	if c == 'u' {
		r, err := d.codeUnit()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		low, err := d.codeUnit()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, errors.New("half a surrogate pair")
		}
		return r, nil
	}
	d.rest = d.rest[2:]
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	}
	return 0, fmt.Errorf("an unknown escape \\%c", c)
}

// codeUnit reads \uXXXX.
func (d *decoder) codeUnit() (rune, error) {
	if len(d.rest) < 6 || d.rest[0] != '\\' || d.rest[1] != 'u' {
		return 0, errors.New("half a surrogate pair, or a cut escape")
	}
	n, err := strconv.ParseUint(string(d.rest[2:6]), 16, 16)
	if err != nil {
		return 0, fmt.Errorf("an escape %q that is no four hexadecimal digits", d.rest[:6])
	}
	d.rest = d.rest[6:]
	return rune(n), nil
}

func (d *decoder) expect(want byte) error {
	switch c := d.next(); {
	case len(d.rest) == 0:
		return fmt.Errorf("the end in place of %q", want)
	case c != want:
		return fmt.Errorf("%q in place of %q", c, want)
	}
	d.rest = d.rest[1:]
	return nil
}

// next skips white space and returns the byte after it, 0 at the end.
func (d *decoder) next() byte {
	for len(d.rest) > 0 {
		switch c := d.rest[0]; c {
		case ' ', '\t', '\r', '\n':
			d.rest = d.rest[1:]
		default:
			return c
		}
	}
	return 0
}
