package agent

import (
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// Plan is the processes of a topology.
type Plan struct {
	Agent     string
	Processes []Process // channels, sinks, sources: in the order in which they start
}

// Process is the process of one component, and how it is called.
type Process struct {
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
	flumeconf.Channel: "fchan",
	flumeconf.Sink:    "fsink",
	flumeconf.Source:  "fsrc",
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
	for _, c := range a.Sinks {
		p := newProcess(c)
		p.Peers = []string{sockets[c.Channel]}
		p.Links = []string{"--channel", "unix:" + p.Peers[0]}
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
