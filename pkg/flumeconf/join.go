package flumeconf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// join ties the agent's components together and reports what cannot be tied.
func (r *reader) join() {
	claimed := make(map[string]*Component)
	for _, c := range slices.Concat(r.agent.Sources, r.agent.Sinks, r.agent.SinkGroups, r.typeless) {
		switch c.Kind {
		case Source:
			r.joinSource(c)
		case Sink:
			r.joinSink(c)
		case SinkGroup:
			r.joinGroup(c, claimed)
		}
	}
	// What is not connected is told only once the rest is right: it may well
	// follow from that.
	if Errors(r.problems) == nil {
		r.unconnected()
	}
}

// joinSource sets the channels that c puts into.
func (r *reader) joinSource(c *Component) {
	list, _ := c.Lookup("channels")
	names := r.names(list, c.Key("channels"), r.isListed(Channel))
	if len(names) == 0 {
		r.missing(c, "channels")
	}
	for _, name := range names {
		// Flume: a channel that there is not is left out without a word if
		// the source has another; here it is an error.
		if r.find(Channel, r.agent.Channels, name, list, c) {
			c.Channels = append(c.Channels, name)
		}
	}
}

// joinSink sets the channel that c takes from.
func (r *reader) joinSink(c *Component) {
	channel, ok := c.Lookup("channel")
	if !ok {
		r.missing(c, "channel")
		return
	}
	words := fields(strings.ReplaceAll(channel.Value, ",", " "))
	if len(words) > 1 && !slices.Contains(r.listed[Channel], channel.Value) {
		hint := "write one channel here, and a sink for each other"
		if strings.HasPrefix(words[1], "#") {
			hint = commentHint
		}
		r.report(Error, channel.Pos, c.Key("channel"), fmt.Errorf("sink %s has more than one channel: %q", c.Name, channel.Value), "%s", hint)
		return
	}
	if r.find(Channel, r.agent.Channels, channel.Value, channel, c) {
		c.Channel = channel.Value
	}
}

// joinGroup sets the sinks that are in c. Those in claimed are in another
// group already; c claims its own.
func (r *reader) joinGroup(c *Component, claimed map[string]*Component) {
	// Flume: this list is divided at each space, others at any white space;
	// here all lists are read alike.
	list, ok := c.Lookup("sinks")
	if !ok {
		// Flume: the guide calls it so for load_balance; the code does not
		// know it.
		if list, ok = c.Lookup("processor.sinks"); !ok {
			list.Key = "sinks"
		}
	}
	names := r.names(list, c.Key(list.Key), r.isListed(Sink))
	if len(names) == 0 {
		// Flume: without the list, the whole agent ends with a
		// NullPointerException.
		r.missing(c, "sinks")
	}
	for _, name := range names {
		if !r.find(Sink, r.agent.Sinks, name, list, c) {
			continue
		}
		if other, ok := claimed[name]; ok {
			// Flume: which of the groups gets the sink depends on a hash.
			r.report(Error, list.Pos, c.Key(list.Key), fmt.Errorf("sink %s is in the group %s already", name, other.Name),
				"take it out here, or at %s", other.Where("sinks"))
			continue
		}
		claimed[name] = c
		c.Sinks = append(c.Sinks, name)
	}
	r.oneChannel(c)
}

// oneChannel reports sinks of the group c that take from different channels.
//
// Flume: each takes from its own, when its turn comes: what is in the channel of
// a sink that another one is preferred to stays there. That is hardly meant, and
// here a group is one sink of one channel.
func (r *reader) oneChannel(c *Component) {
	var first *Component
	for _, name := range c.Sinks {
		i := slices.IndexFunc(r.agent.Sinks, func(s *Component) bool { return s.Name == name })
		s := r.agent.Sinks[i]
		switch channel, _ := s.Lookup("channel"); {
		case s.Channel == "": // that has been reported
		case first == nil:
			first = s
		case s.Channel != first.Channel:
			r.report(Error, channel.Pos, s.Key("channel"),
				fmt.Errorf("sink %s takes from %s, and %s of the same group %s from %s", s.Name, s.Channel, first.Name, c.Name, first.Channel),
				"the sinks of a group have one channel; make a group for each")
		}
	}
}

// find says whether name, which p of user names, is among components. If it
// is not even listed, that is reported; only an agent without channels has been
// reported for all.
func (r *reader) find(kind Kind, components []*Component, name string, p Property, user *Component) bool {
	if slices.ContainsFunc(components, func(c *Component) bool { return c.Name == name }) {
		return true
	}
	listed := r.listed[kind]
	if slices.Contains(listed, name) || kind == Channel && len(listed) == 0 {
		return false
	}
	hint := fmt.Sprintf("list it in %s, and give it a type", r.key(kind))
	if part := r.section.part(kind.Group(), name); part != nil {
		hint = fmt.Sprintf("add %s to %s; it is configured at %s", name, r.key(kind), part.props[0].Pos)
	} else if meant := fault.Closest(name, listed); meant != "" {
		hint = fmt.Sprintf("did you mean %s?", meant)
	} else if len(listed) > 0 {
		hint = fmt.Sprintf("%s has %s", r.key(kind), strings.Join(listed, ", "))
	}
	r.report(Error, p.Pos, user.Key(p.Key), fmt.Errorf("%s %s names a %s that there is not: %s", user.Kind, user.Name, kind, name), "%s", hint)
	return false
}

// unconnected warns of channels that lack one end.
func (r *reader) unconnected() {
	for _, c := range r.agent.Channels {
		put := slices.ContainsFunc(r.agent.Sources, func(s *Component) bool { return slices.Contains(s.Channels, c.Name) })
		taken := slices.ContainsFunc(r.agent.Sinks, func(s *Component) bool { return s.Channel == c.Name })
		switch {
		case !put && !taken:
			r.report(Warning, c.Pos, c.Key("type"), fmt.Errorf("channel %s has neither a source nor a sink", c.Name),
				"name it in a source's channels and a sink's channel, or take it out of %s", r.key(Channel))
		case !taken:
			r.report(Warning, c.Pos, c.Key("type"), fmt.Errorf("channel %s has no sink", c.Name),
				"unless others take from its store, it fills up, and its sources are refused: write a sink for it")
		case !put:
			r.report(Warning, c.Pos, c.Key("type"), fmt.Errorf("channel %s has no source", c.Name),
				"unless others put into its store, its sinks get nothing: write a source for it")
		}
	}
}
