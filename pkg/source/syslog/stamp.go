package syslog

import "time"

// Both kinds of times are scanned for their form, which says where they end,
// and then read.

// digits reports whether text has so many digits at at.
func digits(text []byte, at, n int) bool {
	if at+n > len(text) {
		return false
	}
	for _, c := range text[at : at+n] {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// number reads the digits of text.
func number(text []byte) int {
	n := 0
	for _, c := range text {
		n = 10*n + int(c-'0')
	}
	return n
}

func has(text []byte, at int, c byte) bool { return at < len(text) && text[at] == c }

// clock reports whether text has hh:mm:ss at at.
func clock(text []byte, at int) bool {
	return digits(text, at, 2) && has(text, at+2, ':') && digits(text, at+3, 2) && has(text, at+5, ':') && digits(text, at+6, 2)
}

// scan3164 returns where the time "Oct 11 22:14:15" ends that begins at at, 0
// if it is none. A day below ten may have two blanks before it, or one.
//
// Flume: syslogtcp and syslogudp know no OCT; multiport_syslogtcp takes the 15
// bytes for the time, whatever they are.
func scan3164(text []byte, at int) int {
	if at+5 > len(text) || !isLetter(text[at+1]) || !isLetter(text[at+2]) || !isSpace(text[at+3]) {
		return 0
	}
	at += 4
	if isSpace(text[at]) {
		at++
	}
	switch {
	case digits(text, at, 2):
		at += 2
	case digits(text, at, 1):
		at++
	default:
		return 0
	}
	if at >= len(text) || !isSpace(text[at]) || !clock(text, at+1) {
		return 0
	}
	return at + 9
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// scan5424 returns where the time "2003-10-11T22:14:15.003-07:00" ends that
// begins at at, 0 if it is none. The fraction and the zone may be missing, and
// the letters be small, as in RFC 3339.
//
// Flume: a fraction of more than six digits and a small letter are none to
// syslogtcp and syslogudp. To multiport_syslogtcp any character stands for Z.
func scan5424(text []byte, at int) int {
	if !digits(text, at, 4) || !has(text, at+4, '-') || !digits(text, at+5, 2) || !has(text, at+7, '-') ||
		!digits(text, at+8, 2) || !clock(text, at+11) || text[at+10]|0x20 != 't' {
		return 0
	}
	at += 19
	if has(text, at, '.') {
		if !digits(text, at+1, 1) {
			return 0
		}
		for at++; at < len(text) && isDigit(text[at]); at++ {
		}
	}
	switch {
	case at < len(text) && text[at]|0x20 == 'z':
		at++
	case has(text, at, '+') || has(text, at, '-'):
		if !digits(text, at+1, 2) || !has(text, at+3, ':') || !digits(text, at+4, 2) {
			return 0
		}
		at += 6
	}
	return at
}

// millis reads a time as milliseconds since 1970.
//
// Flume: fields that are out of range are carried over (the 32nd of January is
// the 1st of February), or lose the message; here there is no such time, but
// second 60, which exists, and the 29th of February in whatever year.
func (p *Parser) millis(stamp []byte, l layout) (int64, bool) {
	switch l.time {
	case rfc3164:
		return p.millis3164(stamp)
	case rfc5424:
		return p.millis5424(stamp)
	case custom:
		return l.millis, true
	}
	return 0, false
}

// millis5424 reads a time that scan5424 has scanned. Without a zone it is of
// the parser's.
//
// Flume: syslogtcp takes a fraction for a whole number of milliseconds, so
// that .5 is 5 of them, and then passes over the zone. multiport_syslogtcp,
// which is right in both, has no time without a zone.
func (p *Parser) millis5424(stamp []byte) (int64, bool) {
	year, month, day := number(stamp[:4]), number(stamp[5:7]), number(stamp[8:10])
	hour, minute, second := number(stamp[11:13]), number(stamp[14:16]), number(stamp[17:19])
	if month < 1 || month > 12 || day < 1 || day > daysOf(year, month) || !inDay(hour, minute, second) {
		return 0, false
	}
	at, fraction := 19, 0
	if has(stamp, at, '.') {
		for weight := 100; ; weight /= 10 {
			if at++; at == len(stamp) || !isDigit(stamp[at]) {
				break
			}
			fraction += weight * int(stamp[at]-'0')
		}
	}
	if at == len(stamp) {
		return time.Date(year, time.Month(month), day, hour, minute, second, 0, p.zone()).UnixMilli() + int64(fraction), true
	}
	offset := 0 // in minutes
	if stamp[at]|0x20 != 'z' {
		hours, minutes := number(stamp[at+1:at+3]), number(stamp[at+4:at+6])
		if !inDay(hours, minutes, 0) {
			return 0, false
		}
		offset = 60*hours + minutes
		if stamp[at] == '-' {
			offset = -offset
		}
	}
	utc := time.Date(year, time.Month(month), day, hour, minute-offset, second, 0, time.UTC)
	return utc.UnixMilli() + int64(fraction), true
}

func inDay(hour, minute, second int) bool { return hour < 24 && minute < 60 && second <= 60 }

func daysOf(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// millis3164 reads a time that scan3164 has scanned. It is of the parser's
// zone, and of the year that puts it between eleven months ago and a month
// from now.
//
// Flume: multiport_syslogtcp takes it for UTC, and for 2001 when it is more
// than a month old; an unknown month is 1970 to it.
func (p *Parser) millis3164(stamp []byte) (int64, bool) {
	name, month := [3]byte{stamp[0] | 0x20, stamp[1] | 0x20, stamp[2] | 0x20}, 0
	for i := 0; i < len(months); i += 3 {
		if string(name[:]) == months[i:i+3] {
			month = i/3 + 1
		}
	}
	at := 4
	if isSpace(stamp[at]) {
		at++
	}
	end := at + 1
	if isDigit(stamp[end]) {
		end++
	}
	day, rest := number(stamp[at:end]), stamp[end+1:]
	hour, minute, second := number(rest[:2]), number(rest[3:5]), number(rest[6:8])
	if month == 0 || day < 1 || day > daysOf(2000, month) || !inDay(hour, minute, second) {
		return 0, false
	}
	now := p.now.In(p.zone())
	in := func(year int) time.Time {
		return time.Date(year, time.Month(month), day, hour, minute, second, 0, p.zone())
	}
	t := in(now.Year())
	switch {
	case addMonths(t, -1).After(now):
		t = in(now.Year() - 1)
	case addMonths(t, 11).Before(now):
		t = in(now.Year() + 1)
	}
	return t.UnixMilli(), true
}

// addMonths returns the same day of another month, or its last day if it has
// no such day.
func addMonths(t time.Time, n int) time.Time {
	moved := t.AddDate(0, n, 0)
	if moved.Day() != t.Day() {
		moved = moved.AddDate(0, 0, -moved.Day())
	}
	return moved
}
