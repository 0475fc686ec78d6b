package agent

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// Plan is the processes of a topology.
type Plan struct {
	Agent     string
	Processes []Process // channels, sinks, sources: in the order in which they start
}

// Process is the process of one component, and how it is called.
type Process struct {
	// Component is the component. A sink group's has the properties of its
	// sinks too: "sinks.k1.port" is the port of k1.
	Component *flumeconf.Component
	Program   string // fchan, fsink or fsrc

	// Links are the flags that join the process to others.
	Links []string

	// Properties are the component's, without those that say what it is
	// joined to.
	Properties []flumeconf.Property

	// Socket is where a channel listens, Peers where the channels do that
	// a sink or a source is joined to.
	Socket string
	Peers  []string

	// Members are the processes that the sinks of a sink group would be by
	// themselves.
	Members []Process

	Traits
}

// Traits are what the type of a component means for its process.
type Traits struct {
	// Forgets says that a channel's events are lost when its process ends.
	Forgets bool

	// Final says that a source which has failed is not started again: its
	// input was not to be read twice.
	Final bool
}

// programs are what runs a component of each kind.
var programs = map[flumeconf.Kind]string{
	flumeconf.Channel:   "fchan",
	flumeconf.Sink:      "fsink",
	flumeconf.SinkGroup: "fsink",
	flumeconf.Source:    "fsrc",
}

// NewPlan returns the processes of a topology whose sockets are in dir.
func NewPlan(a *flumeconf.Agent, dir string, traits func(*flumeconf.Component) Traits) *Plan {
	plan := &Plan{Agent: a.Name}
	sockets := make(map[string]string)
	newProcess := func(c *flumeconf.Component) Process {
		return Process{Component: c, Program: programs[c.Kind], Properties: properties(c), Traits: traits(c)}
	}
	for i, c := range a.Channels {
		p := newProcess(c)
		p.Socket = filepath.Join(dir, socketName(c.Name, i))
		p.Links = []string{"--listen", "unix:" + p.Socket}
		plan.Processes = append(plan.Processes, p)
		sockets[c.Name] = p.Socket
	}
	members := make(map[string][]Process) // by group
	for _, c := range a.Sinks {
		p := newProcess(c)
		p.Peers = []string{sockets[c.Channel]}
		p.Links = []string{"--channel", "unix:" + p.Peers[0]}
		if g := groupOf(a, c); g != nil {
			members[g.Name] = append(members[g.Name], p)
			continue
		}
		plan.Processes = append(plan.Processes, p)
	}
	for _, c := range a.SinkGroups {
		if len(members[c.Name]) == 0 {
			continue // that has been reported
		}
		first := members[c.Name][0]
		p := newProcess(withSinks(c, members[c.Name]))
		p.Peers, p.Links, p.Members = first.Peers, first.Links, members[c.Name]
		plan.Processes = append(plan.Processes, p)
	}
	for _, c := range a.Sources {
		p := newProcess(c)
		for _, channel := range c.Channels {
			p.Peers = append(p.Peers, sockets[channel])
			p.Links = append(p.Links, "--channel", channel+"=unix:"+sockets[channel])
		}
		plan.Processes = append(plan.Processes, p)
	}
	return plan
}

// groupOf returns the sink group that sink is in, nil if there is none.
func groupOf(a *flumeconf.Agent, sink *flumeconf.Component) *flumeconf.Component {
	for _, g := range a.SinkGroups {
		if slices.Contains(g.Sinks, sink.Name) {
			return g
		}
	}
	return nil
}

// withSinks returns the sink group g with the properties of its sinks. Their
// names are those that are in the group, whatever else stands in the list.
func withSinks(g *flumeconf.Component, sinks []Process) *flumeconf.Component {
	whole := *g
	list, ok := g.Lookup("sinks")
	if !ok {
		list, _ = g.Lookup("processor.sinks")
	}
	whole.Properties = []flumeconf.Property{{Key: "sinks", Value: strings.Join(g.Sinks, " "), Pos: list.Pos}}
	for _, property := range g.Properties {
		if property.Key != "sinks" && property.Key != "processor.sinks" {
			whole.Properties = append(whole.Properties, property)
		}
	}
	for _, p := range sinks {
		prefix := "sinks." + p.Component.Name + "."
		whole.Properties = append(whole.Properties,
			flumeconf.Property{Key: prefix + "type", Value: p.Component.Type, Pos: p.Component.Pos})
		for _, property := range p.Properties {
			property.Key = prefix + property.Key
			whole.Properties = append(whole.Properties, property)
		}
	}
	return &whole
}

// properties returns those of c that its process gets: all but what it is joined
// to.
func properties(c *flumeconf.Component) []flumeconf.Property {
	var kept []flumeconf.Property
	for _, p := range c.Properties {
		switch {
		case c.Kind == flumeconf.Source && p.Key == "channels":
		case c.Kind == flumeconf.Sink && p.Key == "channel":
		default:
			kept = append(kept, p)
		}
	}
	return kept
}

// plainName is a name that can be a file's, whatever reads it.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$`)

// socketName returns the name of the socket of the i-th channel.
func socketName(channel string, i int) string {
	if plainName.MatchString(channel) {
		return channel + ".sock"
	}
	return "_" + strconv.Itoa(i) + ".sock"
}

// args returns the arguments of a process whose properties are to be read from
// the file properties.
func (p *Process) args(properties string) []string {
	args := []string{p.Component.Type, "--name", p.Component.Name, "--properties", properties}
	args = append(args, p.Links...)
	return append(args, "--log-format", "json", "--log-level", "info", "--lifeline")
}
