// The header_and_text serializer writes the headers of events and then their
// bodies, each followed by a newline:
//
//	{host=web1, timestamp=1331614800000} GET /index.html
//
// The headers are printed as Java prints a map, in the order in which Java's
// HashMap would have them, with nothing quoted. Without headers that is {}.

package serializer

import (
	_ "embed"
	"io"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed headerandtext.go
var headerAndTextSource string

// HeaderAndText is the header_and_text serializer's line in the catalogue.
var HeaderAndText = Spec{
	Name:    "header_and_text",
	Class:   "org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder",
	Summary: "Write event headers and bodies, one event a line.",
	Manual:  component.Manual(headerAndTextSource),
	New:     func() Options { return new(HeaderAndTextOptions) },
}

// HeaderAndTextOptions are the properties of a header_and_text serializer.
type HeaderAndTextOptions struct {
	AppendNewline option.Bool `name:"appendNewline" default:"true" help:"Write a newline after each event."`
}

// Build implements Options. The serializer can append.
func (o *HeaderAndTextOptions) Build(w io.Writer, _ bool) (Serializer, error) {
	return &text{w: w, headers: true, newline: bool(o.AppendNewline)}, nil
}
