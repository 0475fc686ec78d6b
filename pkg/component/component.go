// Package component is what every component says of itself: its names, its
// manual, the options it takes and its short form on a command line.
//
// A component (a source, sink, channel, interceptor, selector or serializer)
// is one Spec in a Catalog of its kind. From the Spec come its line in `fctl
// types`, its subcommand, its properties in a configuration file, and its
// manual; nothing about it is written a second time.
package component

import (
	"fmt"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Spec describes one component of the kind whose options are of type O
// (source.Options, sink.Options and so on).
type Spec[O any] struct {
	// Name is Flume's alias, in lower case: the `type` in a configuration
	// and the subcommand of fsrc, fchan or fsink.
	Name string
	// Class is Flume's class name, accepted wherever Name is; "" if Flume
	// has no such component.
	Class string
	// Summary is one sentence for lists, with its full stop.
	Summary string
	// Manual is the component's manual: plain text as in a Go doc comment.
	// See Manual for where to take it from.
	Manual string
	// Target is the short form of the properties that everyone sets; nil if
	// there is none.
	Target *Target
	// New returns fresh options: a pointer to a struct whose tagged fields
	// are the properties (see package cli).
	New func() O
}

// Logger returns the name of the component's logger: its class with the last part
// of its package, as Flume's log has it, or its type where Flume has no such class.
func (s Spec[O]) Logger() string {
	parts := strings.Split(s.Class, ".")
	if len(parts) < 2 {
		return s.Name
	}
	return strings.Join(parts[len(parts)-2:], ".")
}

// Target is the word that may stand after a component's name on the command
// line, in place of the one or two properties that everyone sets.
type Target struct {
	// Placeholder stands for the word in usage lines: "[HOST]:PORT".
	Placeholder string
	// Properties returns the properties that the word sets, by their names.
	Properties func(word string) (map[string]string, error)
	// More is the list to which each further word is added; "" if there may
	// be one word only.
	More string
}

// Single returns the Target whose word is the value of one property.
func Single(placeholder, property string) *Target {
	return &Target{
		Placeholder: placeholder,
		Properties: func(word string) (map[string]string, error) {
			return map[string]string{property: word}, nil
		},
	}
}

// Catalog is the components of one kind, in the order in which lists show them.
type Catalog[O any] []Spec[O]

// Find returns the component that typ names: by alias or class name, letter
// case aside, as Flume does. The error names the kind ("source") and has hints.
func (c Catalog[O]) Find(kind, typ string) (Spec[O], error) {
	names := make([]string, 0, 2*len(c))
	for _, s := range c {
		if strings.EqualFold(typ, s.Name) || (s.Class != "" && strings.EqualFold(typ, s.Class)) {
			return s, nil
		}
		names = append(names, s.Name)
		if s.Class != "" {
			names = append(names, s.Class)
		}
	}
	err := fmt.Errorf("unknown %s type %q", kind, typ)
	if near := fault.Closest(typ, names); near != "" {
		return Spec[O]{}, fault.Hint(err, "did you mean %s?", near)
	}
	types := strings.Join(c.Names(), ", ")
	if command, ok := commands[kind]; ok {
		types += ", and TYPE of a program " + command + "-TYPE on PATH"
	}
	return Spec[O]{}, fault.Hint(err, "the %s types are %s", kind, types)
}

// commands are those that look for programs of the types that are not built in.
var commands = map[string]string{"source": "fsrc", "sink": "fsink"}

// Names returns the components' names in order.
func (c Catalog[O]) Names() []string {
	names := make([]string, len(c))
	for i, s := range c {
		names[i] = s.Name
	}
	return names
}

// Manual returns the comment that stands last before the package clause of a
// component's source text, which is its manual: the package comment where the
// component has a package of its own, a comment set off by a blank line where
// it shares one. A component embeds the file that holds it:
//
//	//go:embed netcat.go
//	var text string
//
// so that go doc, the command's --help and the generated page say the same.
func Manual(text string) string {
	var manual strings.Builder
	ended := false
	for line := range strings.Lines(text) {
		comment, ok := strings.CutPrefix(line, "//")
		switch {
		case ok && ended:
			manual.Reset()
			ended = false
			fallthrough
		case ok:
			manual.WriteString(strings.TrimPrefix(comment, " "))
		case strings.HasPrefix(line, "package "):
			return strings.TrimSpace(manual.String()) + "\n"
		default:
			ended = true
		}
	}
	return ""
}
