// The static interceptor sets one header to one value, the same for all events.
// For several headers, use several of them.

package interceptor

import (
	_ "embed"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed static.go
var staticText string

// StaticSpec is the static interceptor's line in the catalogue.
var StaticSpec = Spec{
	Name:    "static",
	Class:   "org.apache.flume.interceptor.StaticInterceptor$Builder",
	Summary: "Set a header to one value.",
	Manual:  component.Manual(staticText),
	New:     func() Options { return new(Static) },
}

// Static is the properties of a static interceptor.
type Static struct {
	Key              string      `name:"key" default:"key" placeholder:"HEADER" help:"Header to set."`
	Value            string      `name:"value" default:"value" help:"Value to set it to."`
	PreserveExisting option.Bool `name:"preserveExisting" default:"true" help:"Leave the header alone where it is set already."`
}

// Build implements Options.
func (s *Static) Build() (Interceptor, error) {
	return newSetter(s.Key, s.Value, bool(s.PreserveExisting)), nil
}

// setter sets a header to one value.
type setter struct {
	key, value string
	preserve   bool
	alone      event.Headers // of an event that has no others
}

func newSetter(key, value string, preserve bool) setter {
	return setter{key: key, value: value, preserve: preserve, alone: event.NewHeaders(key, value)}
}

// Intercept implements Interceptor.
func (s setter) Intercept(e event.Event) (event.Event, bool) {
	if e.Headers.Empty() {
		e.Headers = s.alone
		return e, true
	}
	if s.preserve {
		if _, ok := e.Headers.Get(s.key); ok {
			return e, true
		}
	}
	e.Headers = e.Headers.With(s.key, s.value)
	return e, true
}
