package flumeconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Check returns all that is wrong with the configuration, in the order of the
// files and their lines. With the names of agents, it is about those: what is
// wrong with the others is a warning.
func (f *File) Check(agents ...string) []Problem {
	problems := slices.Clone(f.problems)
	for _, s := range f.sections {
		_, found := f.read(s)
		problems = append(problems, found...)
	}
	if len(agents) > 0 {
		for i, p := range problems {
			if !slices.Contains(agents, p.Agent) {
				problems[i].Severity = Warning
			}
		}
	}
	f.sortProblems(problems)
	return problems
}

// reader makes an Agent of a section and collects what is wrong with it.
type reader struct {
	section  *section
	agent    *Agent
	problems []Problem

	// listed are the names in the lists. A component that is listed but
	// broken has been reported itself; who refers to it is not to blame.
	listed map[Kind][]string

	// typeless are the components that lack a type. They are not part of the
	// agent, but what else is wrong with them is reported too.
	typeless []*Component
}

// read returns the agent that s describes, as far as it can be told, and what
// is wrong with it.
func (f *File) read(s *section) (*Agent, []Problem) {
	r := &reader{section: s, agent: &Agent{Name: s.agent}, listed: make(map[Kind][]string)}
	if len(s.lists) == 0 {
		hint := fmt.Sprintf("write %s = …, %s = … and %s = …", r.key(Channel), r.key(Source), r.key(Sink))
		if meant := fault.Closest(s.agent, f.Agents()); meant != "" {
			hint = fmt.Sprintf("did you mean %s?", meant)
		}
		r.report(Error, s.pos, s.agent, fmt.Errorf("agent %s lists no components", s.agent), "%s", hint)
		return r.agent, r.problems
	}
	r.configFilters()
	r.agent.Channels = r.components(Channel)
	r.agent.Sources = r.components(Source)
	r.agent.Sinks = r.components(Sink)
	r.agent.SinkGroups = r.components(SinkGroup)
	r.lists()
	r.join()
	return r.agent, r.problems
}

// report adds a problem of the agent. The hint is a format with args.
func (r *reader) report(severity Severity, pos Position, key string, err error, hint string, args ...any) {
	r.problems = append(r.problems, newProblem(severity, r.agent.Name, pos, key, err, hint, args...))
}

// key returns the full name of the list of a kind, or of what words name under it.
func (r *reader) key(kind Kind, words ...string) string {
	return strings.Join(append([]string{r.agent.Name, kind.Group()}, words...), ".")
}

// isListed returns a test for names in the list of a kind.
func (r *reader) isListed(kind Kind) func(name string) bool {
	return func(name string) bool { return slices.Contains(r.listed[kind], name) }
}

// configFilters refuses filters that are listed, and warns of others.
func (r *reader) configFilters() {
	// Flume: a filter replaces ${filter['key']} in all values; here a listed
	// one is an error, because no component must start with that text for
	// its password.
	err := errors.New("config filters are not supported by this version")
	hint := "delete the line, and write the values in place of the ${filter['key']} that stand for them"
	if list, ok := r.section.lists["configfilters"]; ok {
		r.report(Error, list.Pos, list.Key, err, "%s", hint)
		return
	}
	for _, p := range r.section.parts["configfilters"] {
		first := p.props[0]
		r.report(Warning, first.Pos, r.agent.Name+".configfilters."+p.name+"."+first.Key, err, "%s", hint)
	}
}

// lists reports an agent without channels, or without anything to use them.
func (r *reader) lists() {
	if len(r.listed[Channel]) == 0 {
		r.report(Error, r.listPos(Channel), r.key(Channel), fmt.Errorf("agent %s has no channels", r.agent.Name),
			"write %s = …", r.key(Channel))
	}
	if len(r.listed[Source]) == 0 && len(r.listed[Sink]) == 0 {
		r.report(Error, r.listPos(Source), r.key(Source), fmt.Errorf("agent %s has neither sources nor sinks", r.agent.Name),
			"write %s = …, or %s = …, or both", r.key(Source), r.key(Sink))
	}
}

// listPos returns where the list of a kind stands, or else the agent.
func (r *reader) listPos(kind Kind) Position {
	if list, ok := r.section.lists[kind.Group()]; ok {
		return list.Pos
	}
	return r.section.pos
}

// components returns the components of a kind that are listed and have a type.
func (r *reader) components(kind Kind) []*Component {
	group := kind.Group()
	list, ok := r.section.lists[group]
	if ok {
		r.listed[kind] = r.names(list, list.Key, func(name string) bool {
			return r.section.part(group, name) != nil
		})
	}
	unlisted := r.unlisted(kind)
	var components []*Component
	for _, name := range r.listed[kind] {
		p := r.section.part(group, name)
		if p == nil {
			hint := fmt.Sprintf("write %s = …, or take %s out of the list", r.key(kind, name, "type"), name)
			if kind == SinkGroup {
				hint = fmt.Sprintf("write %s = …, or take %s out of the list", r.key(kind, name, "sinks"), name)
			}
			if meant := fault.Closest(name, unlisted); meant != "" {
				hint = fmt.Sprintf("did you mean %s?", meant)
			}
			r.report(Error, list.Pos, list.Key, fmt.Errorf("%s %s is listed but has no properties", kind, name), "%s", hint)
			continue
		}
		c := r.component(kind, p)
		if c.Type == "" {
			r.missing(c, "type")
			r.typeless = append(r.typeless, c)
			continue
		}
		components = append(components, c)
	}
	return components
}

// unlisted returns the names of components that have properties but are not
// listed, and warns of them.
func (r *reader) unlisted(kind Kind) []string {
	var names []string
	for _, p := range r.section.parts[kind.Group()] {
		if slices.Contains(r.listed[kind], p.name) {
			continue
		}
		names = append(names, p.name)
		hint := fmt.Sprintf("add %s to %s, or delete its lines", p.name, r.key(kind))
		if len(r.listed[kind]) == 0 {
			hint = fmt.Sprintf("write %s = %s, or delete its lines", r.key(kind), p.name)
		}
		first := p.props[0]
		r.report(Warning, first.Pos, r.key(kind, p.name, first.Key),
			fmt.Errorf("%s has properties but is not in %s; it is ignored", r.key(kind, p.name), r.key(kind)), "%s", hint)
	}
	return names
}

// names returns the names in a list, the property key, each once. A name for
// which known is true may look as it likes.
func (r *reader) names(list Property, key string, known func(name string) bool) []string {
	var names []string
	words := fields(list.Value)
	for i, word := range words {
		if strings.HasPrefix(word, "#") && !known(word) {
			// Flume: the words of the comment are taken for names, and
			// dropped as they have no properties.
			r.report(Warning, list.Pos, key, fmt.Errorf("%q is part of the value; it is ignored", strings.Join(words[i:], " ")),
				commentHint)
			break
		}
		parts := []string{word}
		if strings.Contains(word, ",") && !known(word) {
			parts = strings.FieldsFunc(word, func(c rune) bool { return c == ',' })
			r.report(Error, list.Pos, key, fmt.Errorf("%q has a comma: names are separated by spaces alone", word),
				"write a space in its place")
		}
		for _, name := range parts {
			if slices.Contains(names, name) {
				r.report(Warning, list.Pos, key, fmt.Errorf("%s is listed twice", name), "delete it once")
				continue
			}
			names = append(names, name)
		}
	}
	return names
}

// commentHint mends a comment after a value.
const commentHint = "a comment needs a line of its own: a # after a value is part of it"

// fields divides s at what Java's \s matches.
func fields(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(" \t\n\v\f\r", c) })
}

// component makes a Component of p, not joined to others as yet.
func (r *reader) component(kind Kind, p *part) *Component {
	c := &Component{Kind: kind, Agent: r.agent.Name, Name: p.name, Pos: p.props[0].Pos}
	key := "type"
	if kind == SinkGroup {
		key = "processor.type"
	}
	for _, prop := range p.props {
		if prop.Key == key {
			c.Type, c.Pos = prop.Value, prop.Pos
			continue
		}
		c.Properties = append(c.Properties, prop)
	}
	if c.Type == "" && kind == SinkGroup {
		// Flume: a group without processor.type is removed, and its sinks
		// do not run; here it has the default that the guide promises.
		c.Type = "default"
		if sinks, ok := c.Lookup("sinks"); ok {
			c.Pos = sinks.Pos
		}
	}
	return c
}

// missing reports that c lacks the property key, or has nothing in it, on the
// line of the one that looks like it.
func (r *reader) missing(c *Component, key string) {
	var keys []string
	for _, p := range c.Properties {
		keys = append(keys, p.Key)
	}
	pos, hint := c.Pos, fmt.Sprintf("write %s = …", c.Key(key))
	if meant := fault.Closest(key, keys); meant != "" {
		p, _ := c.Lookup(meant)
		pos = p.Pos
		if meant != key {
			hint = fmt.Sprintf("write %s where it says %s", key, meant)
		}
	}
	r.report(Error, pos, c.Key(key), fmt.Errorf("%s %s has no %s", c.Kind, c.Name, key), "%s", hint)
}
