package syslog

import (
	"fmt"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// dateFormat is a pattern of Java's SimpleDateFormat, to read times by.
type dateFormat []dateField

// dateField is a letter of the pattern with its count, or literal text.
type dateField struct {
	letter  byte // 0: literal
	count   int
	literal string
}

// dateLetters are those that are read.
const dateLetters = "yMdHhkKmsSaEZXz"

// parseDateFormat takes a pattern apart.
func parseDateFormat(pattern string) (dateFormat, error) {
	var f dateFormat
	literal := func(text string) {
		if n := len(f); n > 0 && f[n-1].letter == 0 {
			f[n-1].literal += text
			return
		}
		f = append(f, dateField{literal: text})
	}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case strings.HasPrefix(pattern[i:], "''"):
			literal("'")
			i += 2
		case c == '\'':
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return nil, fault.Hint(fmt.Errorf("%q has a quotation mark without another", pattern), "write two for one that is meant")
			}
			literal(pattern[i+1 : i+1+end])
			i += end + 2
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			if !strings.Contains(dateLetters, string(c)) {
				return nil, fault.Hint(fmt.Errorf("%q has the letter %c", pattern, c), "the letters are %s; others stand in quotation marks", dateLetters)
			}
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			f = append(f, dateField{letter: c, count: n})
			i += n
		default:
			literal(string(c))
			i++
		}
	}
	return f, nil
}

// numeric says whether the field is written in digits.
func (f dateField) numeric() bool {
	switch f.letter {
	case 'M':
		return f.count < 3
	case 0, 'a', 'E', 'Z', 'X', 'z':
		return false
	}
	return true
}

// date is what the fields of a time have been read to.
type date struct {
	year, month, day, hour, minute, second, milli int
	pm                                            bool
	zone                                          *time.Location
}

// parse reads a time. As in Java, fields that the pattern has not are those of
// the first of January 1970 at midnight, and text after it is passed over.
func (f dateFormat) parse(text string, zone *time.Location) (time.Time, bool) {
	if len(f) == 0 {
		return time.Time{}, false
	}
	d := date{year: 1970, month: 1, day: 1, zone: zone}
	for i, field := range f {
		var ok bool
		switch {
		case field.letter == 0:
			text, ok = strings.CutPrefix(text, field.literal)
		case field.numeric():
			most := len(text)
			if i+1 < len(f) && f[i+1].numeric() {
				most = field.count // or the next would have no digits
			}
			text, ok = d.readNumber(field, text, most)
		default:
			text, ok = d.readText(field.letter, text)
		}
		if !ok {
			return time.Time{}, false
		}
	}
	if d.pm {
		d.hour += 12
	}
	return time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, d.milli*int(time.Millisecond), d.zone), true
}

// readNumber reads a field of at most so many digits.
func (d *date) readNumber(field dateField, text string, most int) (rest string, ok bool) {
	text = strings.TrimLeft(text, " ")
	n, width := 0, 0
	for ; width < min(most, len(text), 9) && isDigit(text[width]); width++ {
		n = 10*n + int(text[width]-'0')
	}
	if width == 0 {
		return "", false
	}
	switch field.letter {
	case 'y':
		d.year = n
		if field.count < 3 && width == 2 {
			d.year = nearYear(n)
		}
	case 'M':
		d.month = n
	case 'd':
		d.day = n
	case 'H':
		d.hour = n
	case 'k':
		d.hour = n % 24
	case 'K':
		d.hour = n
	case 'h':
		d.hour = n % 12
	case 'm':
		d.minute = n
	case 's':
		d.second = n
	case 'S':
		d.milli = n
	}
	return text[width:], true
}

// nearYear returns the year of two digits that lies between eighty years ago
// and twenty from now, as Java has it.
func nearYear(n int) int {
	now := time.Now().Year()
	year := now - now%100 + n
	switch {
	case year > now+20:
		return year - 100
	case year <= now-80:
		return year + 100
	}
	return year
}

// readText reads a field that is not in digits.
func (d *date) readText(letter byte, text string) (rest string, ok bool) {
	switch letter {
	case 'a':
		for i, half := range []string{"AM", "PM"} {
			if len(text) >= 2 && strings.EqualFold(text[:2], half) {
				d.pm = i == 1
				return text[2:], true
			}
		}
	case 'E':
		for day := time.Sunday; day <= time.Saturday; day++ {
			if rest, ok = cutName(text, day.String()); ok {
				return rest, true
			}
		}
	case 'M':
		for month := time.January; month <= time.December; month++ {
			if rest, ok = cutName(text, month.String()); ok {
				d.month = int(month)
				return rest, true
			}
		}
	default:
		return d.readZone(text)
	}
	return "", false
}

// cutName cuts an English name, whole or its first three letters, off text.
func cutName(text, name string) (rest string, ok bool) {
	for _, n := range []string{name, name[:3]} {
		if len(text) >= len(n) && strings.EqualFold(text[:len(n)], n) {
			return text[len(n):], true
		}
	}
	return "", false
}

// readZone reads Z, GMT, UTC, +0200, +02:00 or +02.
func (d *date) readZone(text string) (rest string, ok bool) {
	for _, layout := range []string{"Z07:00", "Z0700", "Z07"} {
		for _, width := range []int{6, 5, 3, 1} {
			if len(text) < width {
				continue
			}
			if t, err := time.Parse(layout, text[:width]); err == nil {
				_, offset := t.Zone()
				d.zone = time.FixedZone("", offset)
				return text[width:], true
			}
		}
	}
	for _, name := range []string{"GMT", "UTC"} {
		if rest, ok = strings.CutPrefix(text, name); ok {
			d.zone = time.UTC
			return rest, true
		}
	}
	return "", false
}
