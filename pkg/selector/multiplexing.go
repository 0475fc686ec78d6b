// The multiplexing selector sends each event to the channels that its value of
// one header is mapped to.
//
//	a1.sources.r1.selector.type = multiplexing
//	a1.sources.r1.selector.header = state
//	a1.sources.r1.selector.mapping.CZ = c1
//	a1.sources.r1.selector.mapping.US = c2 c3
//	a1.sources.r1.selector.optional.US = c4
//	a1.sources.r1.selector.default = c1
//
// Values are compared whole, letter case included. An event without the header,
// or with a blank or another value, goes to the default channels. Without
// default channels it goes nowhere: it is dropped, and its sender is told that
// it was taken. Set default to keep such events.
//
// The optional channels of a value are tried besides those that it is mapped
// to, or besides the default ones; that one of them fails is counted and no more.

package selector

import (
	_ "embed"
	"maps"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

//go:embed multiplexing.go
var multiplexingText string

// MultiplexingSpec is the multiplexing selector's line in the catalogue.
var MultiplexingSpec = Spec{
	Name:    "multiplexing",
	Class:   "org.apache.flume.channel.MultiplexingChannelSelector",
	Summary: "Send events to channels by the value of a header.",
	Manual:  component.Manual(multiplexingText),
	New:     func() Options { return new(Multiplexing) },
}

// Multiplexing is the properties of a multiplexing selector.
type Multiplexing struct {
	Header   string            `name:"header" default:"flume.selector.header" help:"Header whose value decides."`
	Mapping  map[string]string `name:"mapping.<value>" placeholder:"CHANNELS" help:"Channels of the events that have this value, separated by blanks."`
	Default  []string          `name:"default" sep:" " placeholder:"CHANNEL" help:"Channels of the events whose value is not mapped; without them these events are dropped."`
	Optional map[string]string `name:"optional.<value>" placeholder:"CHANNELS" help:"Channels that events with this value are committed without when they fail."`
}

// Build implements Options.
func (m *Multiplexing) Build(channels []string) (Selector, error) {
	unmapped, err := indices("default", m.Default, channels)
	if err != nil {
		return nil, err
	}
	x := &multiplexer{header: m.Header, routes: make(map[string]Route), unmapped: Route{Required: unmapped}}
	for _, value := range slices.Sorted(maps.Keys(m.Mapping)) {
		required, err := indices("mapping."+value, strings.Fields(m.Mapping[value]), channels)
		if err != nil {
			return nil, err
		}
		x.routes[value] = Route{Required: required}
	}
	for _, value := range slices.Sorted(maps.Keys(m.Optional)) {
		optional, err := indices("optional."+value, strings.Fields(m.Optional[value]), channels)
		if err != nil {
			return nil, err
		}
		route, ok := x.routes[value]
		if !ok {
			route = x.unmapped
		}
		route.Optional = slices.DeleteFunc(optional, func(i int) bool { return slices.Contains(route.Required, i) })
		x.routes[value] = route
	}
	return x, nil
}

// multiplexer is a multiplexing selector.
type multiplexer struct {
	header   string
	routes   map[string]Route // by value
	unmapped Route            // of all other values, and of none
}

// Select implements Selector.
func (x *multiplexer) Select(e event.Event) Route {
	value, _ := e.Headers.Get(x.header)
	if strings.TrimSpace(value) == "" {
		return x.unmapped
	}
	if route, ok := x.routes[value]; ok {
		return route
	}
	return x.unmapped
}

// Constant implements Selector.
func (x *multiplexer) Constant() (Route, bool) { return x.unmapped, len(x.routes) == 0 }
