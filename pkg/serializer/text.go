// The text serializer writes the bodies of events, each followed by a newline,
// and nothing of their headers.
//
// A body that holds newlines becomes several lines. Turn appendNewline off for
// bodies that end their lines themselves.

package serializer

import (
	_ "embed"
	"io"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventtext"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed text.go
var textSource string

// Text is the text serializer's line in the catalogue.
var Text = Spec{
	Name:    "text",
	Class:   "org.apache.flume.serialization.BodyTextEventSerializer$Builder",
	Summary: "Write event bodies, one a line.",
	Manual:  component.Manual(textSource),
	New:     func() Options { return new(TextOptions) },
}

// TextOptions are the properties of a text serializer.
type TextOptions struct {
	AppendNewline option.Bool `name:"appendNewline" default:"true" help:"Write a newline after each body."`
}

// Build implements Options. The serializer can append.
func (o *TextOptions) Build(w io.Writer, _ bool) (Serializer, error) {
	return &text{w: w, newline: bool(o.AppendNewline)}, nil
}

// chunk is how many bytes are written at once: few writes, and all of it is
// still in the processor's cache when the kernel copies it.
const chunk = 256 << 10

type text struct {
	w       io.Writer
	headers bool // before each body
	newline bool
	buf     []byte
}

func (t *text) Write(b *event.Batch) error {
	t.buf = t.buf[:0]
	for e := range b.All() {
		if len(t.buf)+len(e.Body) >= chunk {
			if err := t.pass(); err != nil {
				return err
			}
			if len(e.Body) >= chunk && !t.headers {
				if _, err := t.w.Write(e.Body); err != nil {
					return err
				}
				e.Body = nil
			}
		}
		if t.headers {
			t.buf = append(eventtext.AppendHeaders(t.buf, e.Headers), ' ')
		}
		t.buf = append(t.buf, e.Body...)
		if t.newline {
			t.buf = append(t.buf, '\n')
		}
	}
	return t.pass()
}

func (t *text) pass() error {
	if len(t.buf) == 0 {
		return nil
	}
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}

func (t *text) Flush() error { return nil }

func (t *text) Close() error { return nil }
