// Package sinkgroup makes one sink of several: a sink group, in which a sink
// processor decides which of the group's sinks a batch is written by. Each sink
// processor is one file.
//
// A group is a sink.Sink itself: the engine that runs it gives it a batch, and
// the processor has one sink after another try that, once each and whole, until
// one has delivered it. When none has, the engine tries again later. A sink that
// has failed is left alone for a while, one that cannot be opened as well, and
// the group works with the others.
package sinkgroup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/sink"
)

// Options are a group's properties: those of its sink processor, and the names
// and properties of its sinks. Before Open is called, Gather has to be.
type Options interface {
	sink.Options
	sink.Batcher

	// Gather makes the options of the group's sinks by their properties. The
	// type of one is looked for in what catalog returns for it; decode sets
	// options from the properties below a prefix.
	Gather(catalog func(typ string) component.Catalog[sink.Options], decode func(prefix string, options any) error) error
}

// Members are the sinks of a group: the properties that every group has.
type Members struct {
	Names      []string          `name:"sinks" aliases:"processor.sinks" sep:" " required:"" placeholder:"NAMES" help:"Names of the group's sinks, with spaces between."`
	Properties map[string]string `name:"sinks.<sink>.<property>" help:"Properties of a sink of the group, as the manual of its type lists them; the type is required."`

	sinks []part
}

// part is a sink of a group as it was asked for.
type part struct {
	name    string
	logger  string // its logger's name
	options sink.Options
}

// check returns what is wrong with the names.
func (m *Members) check() error {
	for i, name := range m.Names {
		switch {
		case slices.Contains(m.Names[:i], name):
			return fault.Hint(fmt.Errorf("sinks has %s twice", name), "a group has a sink once")
		case strings.Contains(name, ","):
			return fault.Hint(fmt.Errorf("sinks has the name %q", name), "names are separated by spaces alone: %s",
				strings.ReplaceAll(name, ",", " "))
		}
	}
	return nil
}

// Gather implements Options.
func (m *Members) Gather(catalog func(string) component.Catalog[sink.Options], decode func(string, any) error) error {
	m.sinks = nil
	var wrong []error
	for _, name := range m.Names {
		prefix := "sinks." + name + "."
		spec, err := find(catalog, prefix+"type", m.Properties[name+".type"])
		if err != nil {
			wrong = append(wrong, fault.WithStatus(err, fault.Usage))
			continue
		}
		options := spec.New()
		wrong = append(wrong, decode(prefix, options))
		m.sinks = append(m.sinks, part{name: name, logger: spec.Logger(), options: options})
	}
	return errors.Join(wrong...)
}

// find returns the sink that the property key has for its type.
func find(catalog func(string) component.Catalog[sink.Options], key, typ string) (sink.Spec, error) {
	if typ == "" {
		return sink.Spec{}, fault.Hint(fmt.Errorf("%s is missing", key), "write --%s=TYPE, or %s = TYPE in a file", key, key)
	}
	spec, err := catalog(typ).Find("sink", typ)
	if err != nil {
		return sink.Spec{}, fmt.Errorf("%s: %w", key, err)
	}
	return spec, nil
}

// MaxEvents implements sink.Batcher: it is the least that one of the sinks has,
// because a batch is for any of them.
func (m *Members) MaxEvents() int {
	least := 0
	for _, p := range m.sinks {
		if b, ok := p.options.(sink.Batcher); ok && b.MaxEvents() > 0 && (least == 0 || b.MaxEvents() < least) {
			least = b.MaxEvents()
		}
	}
	return least
}

// Warnings tells which properties are those of no sink of the group.
func (m *Members) Warnings() []error {
	var found []error
	for _, key := range slices.Sorted(maps.Keys(m.Properties)) {
		name, _, _ := strings.Cut(key, ".")
		if !slices.Contains(m.Names, name) {
			found = append(found, m.stray("sinks."+key, name))
		}
	}
	return found
}

// stray returns the warning that a property is about a name that no sink of the
// group has.
func (m *Members) stray(key, name string) error {
	err := fmt.Errorf("%s has no effect: the group has no sink %s", key, name)
	if near := fault.Closest(name, m.Names); near != "" {
		return fault.Hint(err, "did you mean %s?", near)
	}
	return fault.Hint(err, "its sinks are %s", strings.Join(m.Names, " "))
}
