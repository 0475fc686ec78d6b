// The timestamp interceptor sets a header to the time at which the event came
// in, in milliseconds since 1970. Sinks that put times into file names take it
// from there.

package interceptor

import (
	_ "embed"
	"strconv"
	"time"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed timestamp.go
var timestampText string

// TimestampSpec is the timestamp interceptor's line in the catalogue.
var TimestampSpec = Spec{
	Name:    "timestamp",
	Class:   "org.apache.flume.interceptor.TimestampInterceptor$Builder",
	Summary: "Set a header to the time of arrival.",
	Manual:  component.Manual(timestampText),
	New:     func() Options { return new(Timestamp) },
}

// Timestamp is the properties of a timestamp interceptor.
type Timestamp struct {
	HeaderName       string      `name:"headerName" aliases:"header" default:"timestamp" placeholder:"HEADER" help:"Header to set."`
	PreserveExisting option.Bool `name:"preserveExisting" default:"false" help:"Leave the header alone where it is set already."`
}

// Build implements Options.
func (t *Timestamp) Build() (Interceptor, error) { return stamper{t}, nil }

// stamper is a timestamp interceptor.
type stamper struct{ opt *Timestamp }

// Intercept implements Interceptor.
func (s stamper) Intercept(e event.Event) (event.Event, bool) {
	if s.opt.PreserveExisting {
		if _, ok := e.Headers.Get(s.opt.HeaderName); ok {
			return e, true
		}
	}
	e.Headers = e.Headers.With(s.opt.HeaderName, strconv.FormatInt(time.Now().UnixMilli(), 10))
	return e, true
}
