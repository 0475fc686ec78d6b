// Package interceptor changes or drops events between a source and its
// channels. Each interceptor is one file.
//
// A source names its interceptors in the order in which they are applied:
//
//	a1.sources.r1.interceptors = i1 i2
//	a1.sources.r1.interceptors.i1.type = timestamp
//	a1.sources.r1.interceptors.i2.type = static
//	a1.sources.r1.interceptors.i2.key = datacentre
//	a1.sources.r1.interceptors.i2.value = NEW_YORK
package interceptor

import (
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

// Spec describes an interceptor: its entry in the catalogue.
type Spec = component.Spec[Options]

// Options are an interceptor's properties.
type Options interface {
	// Build returns the interceptor.
	Build() (Interceptor, error)
}

// Interceptor is an interceptor ready for use. Intercept may be called by
// several goroutines at once.
type Interceptor interface {
	// Intercept returns the event to go on with, and false to drop it. The
	// event it is given is shared: what it changes it must copy, as
	// event.Headers does by itself.
	Intercept(e event.Event) (event.Event, bool)
}
