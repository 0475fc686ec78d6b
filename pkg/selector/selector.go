// Package selector decides for each event of a source which of the source's
// channels it goes to. Each channel selector is one file.
package selector

import (
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

// Spec describes a channel selector: its entry in the catalogue.
type Spec = component.Spec[Options]

// Options are a selector's properties (those after "selector.").
type Options interface {
	// Build returns the selector for a source with these channels, in the
	// order of the source's channels property. A channel that the
	// properties name and the source has not is an error.
	Build(channels []string) (Selector, error)
}

// Selector is a channel selector ready for use. Its methods may be called by
// several goroutines at once.
type Selector interface {
	// Select returns where e goes.
	Select(e event.Event) Route
	// Constant returns the one route of every event, if there is only one:
	// batches then pass whole.
	Constant() (Route, bool)
}

// Route is a set of channels, by their index in the source's list. It is
// shared and not to be written to.
type Route struct {
	Required []int // the event is committed when each of these has it
	Optional []int // these are tried; that they fail is counted and no more
}
