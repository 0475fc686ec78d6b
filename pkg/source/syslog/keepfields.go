package syslog

import (
	"fmt"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// KeepFields is which parts of a message stay in the event's body, before what
// is its body anyway.
type KeepFields int

// The parts; KeepAll is the message as it came.
const (
	KeepPriority KeepFields = 1 << iota
	KeepVersion
	KeepTimestamp
	KeepHostname
	KeepAll KeepFields = -1
)

var parts = []struct {
	name string
	part KeepFields
}{
	{"priority", KeepPriority},
	{"version", KeepVersion},
	{"timestamp", KeepTimestamp},
	{"hostname", KeepHostname},
}

// UnmarshalText reads none, all, or names of parts with blanks or commas
// between. As in Flume, false is none and true is all, and letter case does not
// matter.
//
// Flume: passes over words that it does not know, so that a misspelt field is
// not kept.
func (k *KeepFields) UnmarshalText(text []byte) error {
	words := strings.FieldsFunc(strings.ToLower(string(text)), func(r rune) bool { return strings.ContainsRune(" \t,;|", r) })
	*k = 0
	for _, word := range words {
		part, ok := partNamed(word)
		if !ok || len(words) > 1 && (part == 0 || part == KeepAll) {
			return fault.Hint(fmt.Errorf("%q is not among the fields to keep", word), "write none, all, or some of priority, version, timestamp, hostname")
		}
		*k |= part
	}
	return nil
}

func partNamed(word string) (KeepFields, bool) {
	switch word {
	case "none", "false":
		return 0, true
	case "all", "true":
		return KeepAll, true
	}
	for _, p := range parts {
		if p.name == word {
			return p.part, true
		}
	}
	return 0, false
}

// String returns what UnmarshalText reads.
func (k KeepFields) String() string {
	switch k {
	case 0:
		return "none"
	case KeepAll:
		return "all"
	}
	var names []string
	for _, p := range parts {
		if k&p.part != 0 {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, " ")
}

// prefix appends what goes before the body.
//
// Flume: where there is no time or host, syslogtcp and syslogudp write the word
// null; here, as in multiport_syslogtcp, it is what the message has, "-".
func (k KeepFields) prefix(dst, priority, version, stamp, host []byte) []byte {
	if k == KeepAll {
		return dst
	}
	if k&KeepPriority != 0 {
		dst = append(append(append(dst, '<'), priority...), '>')
	}
	if k&KeepVersion != 0 && len(version) > 0 {
		dst = append(append(dst, version...), ' ')
	}
	if k&KeepTimestamp != 0 {
		dst = append(orNil(dst, stamp), ' ')
	}
	if k&KeepHostname != 0 {
		dst = append(orNil(dst, host), ' ')
	}
	return dst
}

func orNil(dst, part []byte) []byte {
	if len(part) == 0 {
		return append(dst, '-')
	}
	return append(dst, part...)
}
