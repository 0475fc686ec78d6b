// Package escape expands the escapes that Flume allows in a sink's path and
// names, such as hdfs.path = /logs/%Y-%m-%d/%{host}:
//
//	%{name}     the event's header of that name, empty if it has none
//	%[localhost] %[IP] %[FQDN]   this host's name, address, full name
//	%t          the event's timestamp header as it is: milliseconds
//	%s          seconds since 1970
//	%a %A       Tue, Tuesday           %b %B   Mar, March
//	%c          Tue Mar 13 01:00:00 2012
//	%d %e       day of the month: 03, 3
//	%D          03/13/12, as %m/%d/%y
//	%H %k       hour, to 23: 01, 1     %I %l   hour, to 12: 01, 1
//	%j          day of the year: 073
//	%m %n       month: 03, 3           %M %S   minute, second: 00
//	%p          AM or PM               %y %Y   12, 2012
//	%z          -0400                  %%      %
//
// A letter that is not among them stands for nothing. All that begin with a
// percent sign and a letter need a time: the timestamp header, or the clock if
// the options say so. Rounding is for all of them but %t.
//
// What a text has of the time is made once for all events of a second.
package escape

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

// Options say how times are expanded. The zero value takes the timestamp header
// in this system's time zone, without rounding.
type Options struct {
	Zone     *time.Location // nil is time.Local
	Clock    bool           // the time is now, whatever the headers say
	Rounding Rounding
}

// Template is a text with escapes. It is for one goroutine.
type Template struct {
	opt   Options
	parts []part
	timed bool // something in it needs a time

	second int64 // of the times that the parts have, if they are valid
	valid  bool
}

// part is a piece of a template.
type part struct {
	kind   byte   // one of those below
	header string // its name
	layout string // of a time: literal text and escapes, in turn expanded into
	text   []byte // what stands there now
}

const (
	literal  = 'l'
	header   = 'h'
	moment   = 'm'
	verbatim = 't'
)

// ErrNoTime is wrapped by Append's error for an event whose time is needed and
// not known.
var ErrNoTime = errors.New("the event's time is not known")

var escapes = regexp.MustCompile(`%(\w|%)|%\{([\w.-]+)\}|%\[(\w+)\]`)

// Parse returns the template that text is. What looks like no escape is text.
func Parse(text string, opt Options) (*Template, error) {
	if opt.Zone == nil {
		opt.Zone = time.Local
	}
	t := &Template{opt: opt}
	at := 0
	for _, m := range escapes.FindAllStringSubmatchIndex(text, -1) {
		t.literal(text[at:m[0]])
		at = m[1]
		switch {
		case m[2] >= 0:
			t.timed = true
			if letter := text[m[2]]; letter == 't' {
				t.parts = append(t.parts, part{kind: verbatim})
			} else {
				t.parts = append(t.parts, part{kind: moment, layout: string(letter)})
			}
		case m[4] >= 0:
			t.parts = append(t.parts, part{kind: header, header: text[m[4]:m[5]]})
		default:
			name, err := hostEscape(text[m[6]:m[7]])
			if err != nil {
				return nil, err
			}
			t.literal(name)
		}
	}
	t.literal(text[at:])
	return t, nil
}

// literal adds text that is always the same.
func (t *Template) literal(text string) {
	if text == "" {
		return
	}
	if n := len(t.parts); n > 0 && t.parts[n-1].kind == literal {
		t.parts[n-1].text = append(t.parts[n-1].text, text...)
		return
	}
	t.parts = append(t.parts, part{kind: literal, text: []byte(text)})
}

// Static returns the template's text if that is the same for all events.
func (t *Template) Static() (text string, ok bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].kind == literal:
		return string(t.parts[0].text), true
	}
	return "", false
}

// Unknown returns the escapes in the template that stand for nothing, such as %q.
func (t *Template) Unknown() []string {
	var unknown []string
	for _, p := range t.parts {
		if p.kind == moment && layouts[p.layout[0]] == "" && !strings.Contains("%sk", p.layout) {
			unknown = append(unknown, "%"+p.layout)
		}
	}
	return unknown
}

// Glob returns a pattern for path.Match that fits all that the template can
// become, provided that no header has a slash. A header, which may be empty, has
// two stars, which path.Match takes for one.
func (t *Template) Glob() string {
	var glob []byte
	for _, p := range t.parts {
		switch {
		case p.kind == literal:
			for _, c := range p.text {
				if c == '*' || c == '?' || c == '[' || c == '\\' {
					glob = append(glob, '\\')
				}
				glob = append(glob, c)
			}
		case p.kind == moment && p.layout == "D":
			glob = append(glob, "*/*/*"...)
		case len(glob) > 0 && glob[len(glob)-1] == '*':
		case p.kind == header:
			glob = append(glob, "**"...)
		default:
			glob = append(glob, '*')
		}
	}
	return string(glob)
}

// Append appends what the template is for an event with these headers to dst
// and returns the extended slice. now is the time of the clock; templates that
// are expanded for one event are given the same. Its errors wrap ErrNoTime.
func (t *Template) Append(dst []byte, h event.Headers, now time.Time) ([]byte, error) {
	stamp := ""
	if t.timed {
		var err error
		if stamp, err = t.setTime(h, now); err != nil {
			return dst, err
		}
	}
	for i := range t.parts {
		switch p := &t.parts[i]; p.kind {
		case header:
			value, _ := h.Get(p.header)
			dst = append(dst, value...)
		case verbatim:
			if t.opt.Clock {
				dst = strconv.AppendInt(dst, now.UnixMilli(), 10)
			} else {
				dst = append(dst, stamp...)
			}
		default:
			dst = append(dst, p.text...)
		}
	}
	return dst, nil
}

// setTime expands the parts of the time, if the second is not the one of the
// event before. It returns the timestamp header.
func (t *Template) setTime(h event.Headers, now time.Time) (stamp string, err error) {
	millis := now.UnixMilli()
	if !t.opt.Clock {
		var ok bool
		if stamp, ok = h.Get("timestamp"); !ok {
			return "", fmt.Errorf("%w: expected timestamp in the Flume event headers, but it was null; "+
				"add the timestamp interceptor to the source, or set useLocalTimeStamp", ErrNoTime)
		}
		if millis, err = strconv.ParseInt(stamp, 10, 64); err != nil {
			return "", fmt.Errorf("%w: its timestamp header %q is not a number of milliseconds", ErrNoTime, stamp)
		}
	}
	if t.valid && millis >= 0 && millis/1000 == t.second {
		return stamp, nil
	}
	if millis <= 0 && t.opt.Rounding.Unit != 0 {
		return "", fmt.Errorf("%w: timestamp must be positive to be rounded, and is %d", ErrNoTime, millis)
	}
	at := t.opt.Rounding.down(time.UnixMilli(millis).In(t.opt.Zone))
	for i := range t.parts {
		if p := &t.parts[i]; p.kind == moment {
			p.text = appendTime(p.text[:0], p.layout[0], at)
		}
	}
	t.second, t.valid = millis/1000, millis >= 0
	return stamp, nil
}

// layouts are the escapes that package time knows. The names are English, as
// those of a Java whose locale is en_US.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January",
	'c': "Mon Jan 2 15:04:05 2006", 'd': "02", 'D': "01/02/06", 'e': "2",
	'H': "15", 'I': "03", 'j': "002", 'l': "3", 'm': "01", 'M': "04",
	'n': "1", 'p': "PM", 'S': "05", 'y': "06", 'Y': "2006", 'z': "-0700",
}

func appendTime(dst []byte, letter byte, at time.Time) []byte {
	switch letter {
	case '%':
		return append(dst, '%')
	case 's':
		return strconv.AppendInt(dst, at.UnixMilli()/1000, 10)
	case 'k':
		return strconv.AppendInt(dst, int64(at.Hour()), 10)
	}
	return at.AppendFormat(dst, layouts[letter])
}

// hostEscape returns what a name in brackets stands for.
func hostEscape(name string) (string, error) {
	found, err := host(name)
	if errors.Is(err, errUnknown) {
		// Flume: found out when the first event comes.
		return "", fault.Hint(fmt.Errorf("the escape %%[%s] is none of %%[localhost], %%[IP], %%[FQDN]", name), "write one of them, or %%{%s} for a header", name)
	}
	return found, err
}
