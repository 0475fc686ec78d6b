package flumeconf

import "strings"

// Kind is what a component is.
type Kind string

// The kinds of components.
const (
	Channel   Kind = "channel"
	Source    Kind = "source"
	Sink      Kind = "sink"
	SinkGroup Kind = "sinkgroup"
)

// Group returns the name that a file has for components of kind k: the list
// a1.sources holds the names of the sources.
func (k Kind) Group() string { return string(k) + "s" }

// Agent is the topology that a file describes under one name. It holds the
// components that are listed and have a type, in the order of the lists, and
// they are joined only to channels and sinks that are in the Agent too: what
// is wrong with the rest, File.Check tells.
type Agent struct {
	Name       string
	Channels   []*Component
	Sources    []*Component
	Sinks      []*Component
	SinkGroups []*Component
}

// Component is one channel, source, sink or sink group of an agent.
type Component struct {
	Kind  Kind
	Agent string // the agent's name
	Name  string

	// Type is the component's type as it is written: an alias in any case,
	// or a class name. A sink group's is the type of its processor,
	// "default" if there is none.
	Type string

	// Pos is where the type stands, or of a sink group without one, the
	// list of its sinks.
	Pos Position

	// Properties are all but the type, in the order of the file. Their keys
	// are what follows the component's name: "port", "hdfs.path", and also
	// "channels", "channel" or "sinks".
	Properties []Property

	Channels []string // of a source: where it puts
	Channel  string   // of a sink: where it takes
	Sinks    []string // of a sink group: its members
}

// Key returns the full name of c's property: "port" is "a1.sources.r1.port". To
// a sink group, "sinks.k1.port" is the property of its sink, "a1.sinks.k1.port".
// Its "type" is "a1.sinkgroups.g1.processor.type".
func (c *Component) Key(property string) string {
	if c.Kind == SinkGroup {
		switch {
		case strings.HasPrefix(property, "sinks."):
			return c.Agent + "." + property
		case property == "type":
			property = "processor.type"
		}
	}
	return c.Agent + "." + c.Kind.Group() + "." + c.Name + "." + property
}

// Lookup returns the property whose key is key, if c has it.
func (c *Component) Lookup(key string) (Property, bool) {
	for _, p := range c.Properties {
		if p.Key == key {
			return p, true
		}
	}
	return Property{}, false
}

// Where returns the place that an error about a property of c should name
// (fault.At), such as "flume.conf:7: a1.sources.r1.port". It is the line of
// the type if the property is not set.
func (c *Component) Where(property string) string {
	pos := c.Pos
	if p, ok := c.Lookup(property); ok {
		pos = p.Pos
	}
	return pos.String() + ": " + c.Key(property)
}
