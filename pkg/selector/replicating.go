// The replicating selector sends every event to every channel of the source. It
// is what a source has if it names no other.
//
// An event is committed when all channels have it, but for those that are
// optional: they are tried, and that one of them fails is counted and no more.

package selector

import (
	_ "embed"
	"slices"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

//go:embed replicating.go
var replicatingText string

// ReplicatingSpec is the replicating selector's line in the catalogue.
var ReplicatingSpec = Spec{
	Name:    "replicating",
	Class:   "org.apache.flume.channel.ReplicatingChannelSelector",
	Summary: "Send every event to every channel.",
	Manual:  component.Manual(replicatingText),
	New:     func() Options { return new(Replicating) },
}

// Replicating is the properties of a replicating selector.
type Replicating struct {
	Optional []string `name:"optional" sep:" " placeholder:"CHANNEL" help:"Channels that an event is committed without when they fail."`
}

// Build implements Options.
//
// Flume: an optional channel that the source has not is a NullPointerException
// at the first event; here it is an error at the start.
func (r *Replicating) Build(channels []string) (Selector, error) {
	optional, err := indices("optional", r.Optional, channels)
	if err != nil {
		return nil, err
	}
	route := Route{Optional: optional}
	for i := range channels {
		if !slices.Contains(optional, i) {
			route.Required = append(route.Required, i)
		}
	}
	return constant(route), nil
}

// constant is the selector of one route.
type constant Route

// Select implements Selector.
func (c constant) Select(event.Event) Route { return Route(c) }

// Constant implements Selector.
func (c constant) Constant() (Route, bool) { return Route(c), true }
