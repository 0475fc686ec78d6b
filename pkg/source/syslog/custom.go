package syslog

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Format is the properties of a message format of the user's own, which is
// tried before those of the RFCs.
type Format struct {
	Regex      string `name:"format.regex" placeholder:"REGEXP" help:"A format of messages that is tried before those of the RFCs. Its groups are the priority, version, timestamp, host and body."`
	Search     string `name:"format.search" placeholder:"REGEXP" help:"What to replace in the timestamp before it is read."`
	Replace    string `name:"format.replace" placeholder:"TEXT" help:"What to replace that with, nothing if it is not set; $1 is the first group of format.search."`
	DateFormat string `name:"format.dateFormat" placeholder:"FORMAT" help:"How the timestamp is written, as Java's SimpleDateFormat has it. Without it messages of this format have no header timestamp."`
}

// Validate checks what the values alone can tell.
func (f *Format) Validate() error {
	_, err := f.Custom()
	return err
}

// Custom returns the format, nil if there is none.
func (f *Format) Custom() (*Custom, error) {
	if f.Regex == "" {
		if f.Search != "" || f.Replace != "" || f.DateFormat != "" {
			return nil, errors.New("format.regex is missing, without which the other properties of the format have no effect")
		}
		return nil, nil
	}
	var c Custom
	var err error
	if c.whole, err = regexp.Compile(`\A(?:` + f.Regex + `)\z`); err != nil {
		return nil, badRegex("format.regex", f.Regex, err)
	}
	if c.search, err = regexp.Compile(f.Search); err != nil {
		return nil, badRegex("format.search", f.Search, err)
	}
	c.replaces, c.replacement = f.Search != "", goReplacement(f.Replace)
	if c.date, err = parseDateFormat(f.DateFormat); err != nil {
		return nil, fmt.Errorf("format.dateFormat %w", err)
	}
	return &c, nil
}

// Flume: takes Java's regular expressions, which have look-around and
// back-references besides.
func badRegex(property, text string, err error) error {
	return fault.Hint(fmt.Errorf("%s %q is no regular expression: %w", property, text, err),
		"write it as Go's regexp/syntax has it, which is Java's without look-around and back-references")
}

// goReplacement writes Java's replacement text as Go's.
func goReplacement(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteString(strings.ReplaceAll(text[i:i+1], "$", "$$"))
		case c == '$' && i+1 < len(text) && isDigit(text[i+1]):
			i++
			b.WriteString("${" + text[i:i+1] + "}")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Custom is a message format of the user's own.
type Custom struct {
	whole       *regexp.Regexp
	search      *regexp.Regexp
	replaces    bool
	replacement string
	date        dateFormat
}

// match finds the parts of a message that has the format.
//
// Flume: loses every message of the format if there is format.search, but no
// format.replace.
func (c *Custom) match(text []byte, zone *time.Location) (layout, bool) {
	at := c.whole.FindSubmatchIndex(text)
	if at == nil {
		return layout{}, false
	}
	group := func(i int) span {
		if 2*i >= len(at) || at[2*i] < 0 {
			return span{}
		}
		return span{at[2*i], at[2*i+1]}
	}
	l := layout{priority: group(1), version: group(2), stamp: group(3), host: group(4), time: unknown}
	body := group(5)
	l.body, l.bodyEnd = body.from, body.to
	if body.to == 0 {
		l.body = len(text) // none
	}
	stamp := string(l.stamp.of(text))
	if c.replaces {
		stamp = c.search.ReplaceAllString(stamp, c.replacement)
	}
	if t, ok := c.date.parse(stamp, zone); ok {
		l.time, l.millis = custom, t.UnixMilli()
	}
	return l, true
}
