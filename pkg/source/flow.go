package source

import (
	"fmt"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/interceptor"
	"github.com/flumekit/flumekit/pkg/selector"
	"github.com/flumekit/flumekit/pkg/stream"
)

// Common is the properties that every source has besides its own.
type Common struct {
	Interceptors          []string          `name:"interceptors" sep:" " placeholder:"NAMES" help:"Names of the interceptors, in the order in which events pass them."`
	InterceptorProperties map[string]string `name:"interceptors.<name>.<property>" help:"Properties of an interceptor; its type is required."`
	Selector              string            `name:"selector.type" default:"replicating" help:"How the channels of an event are chosen: replicating (all of them) or multiplexing (by a header)."`
	SelectorProperties    map[string]string `name:"selector.<property>" help:"Properties of the channel selector."`
}

// Flow is the way of a source's events: the interceptors in order, and the
// selector, whose routes are indices of the channels.
type Flow struct {
	Interceptors []interceptor.Interceptor
	Selector     selector.Selector
	Channels     []*stream.Writer
}

// Flow returns the interceptors and the selector that the properties describe,
// for a source whose channels have these names. decode sets the options of a
// part from the properties below a prefix. The Channels are the caller's to add.
func (c *Common) Flow(channels []string, decode func(prefix string, options any) error) (Flow, error) {
	var flow Flow
	for _, name := range c.Interceptors {
		prefix := "interceptors." + name + "."
		options, err := part(interceptor.Catalog, "interceptor", prefix, c.InterceptorProperties[name+".type"], decode)
		if err != nil {
			return Flow{}, err
		}
		built, err := options.Build()
		if err != nil {
			return Flow{}, fmt.Errorf("interceptor %s: %w", name, err)
		}
		flow.Interceptors = append(flow.Interceptors, built)
	}
	options, err := part(selector.Catalog, "channel selector", "selector.", c.Selector, decode)
	if err != nil {
		return Flow{}, err
	}
	if flow.Selector, err = options.Build(channels); err != nil {
		return Flow{}, fmt.Errorf("channel selector: %w", err)
	}
	return flow, nil
}

// part finds the part of the given type and sets its options.
func part[O any](catalog component.Catalog[O], kind, prefix, typ string, decode func(string, any) error) (O, error) {
	var none O
	if typ == "" {
		return none, fault.Hint(fmt.Errorf("%stype: the %s has no type", prefix, kind), "set %stype", prefix)
	}
	spec, err := catalog.Find(kind, typ)
	if err != nil {
		return none, fmt.Errorf("%stype: %w", prefix, err)
	}
	options := spec.New()
	return options, decode(prefix, options)
}
