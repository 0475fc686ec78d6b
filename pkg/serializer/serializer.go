// Package serializer writes events into the files that sinks make. Each event
// serializer is one file.
package serializer

import (
	"context"
	"io"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

// Spec describes an event serializer: its entry in the catalogue.
type Spec = component.Spec[Options]

// Options are a serializer's properties (those after "serializer.").
type Options interface {
	// Build returns a serializer that writes one file to w. appending says
	// that the file already has content of this serializer's; one that
	// cannot append returns an error then.
	Build(w io.Writer, appending bool) (Serializer, error)
}

// Fetching is implemented by Options that read files by their URLs. Whoever
// knows how to do that for a scheme says so before Build.
type Fetching interface {
	FetchWith(scheme string, fetch Fetch)
}

// Fetch reads the file that a URL names, but no more than most bytes.
type Fetch func(ctx context.Context, url string, most int64) ([]byte, error)

// Serializer writes the events of one file. Its methods are called one at a time.
//
// When one of them fails, its caller cuts w back to where it was before the
// batch and makes the same calls again later, or goes on with another batch.
// Nothing of the batch that failed may then be left in the serializer.
type Serializer interface {
	// Write writes the events of b.
	Write(b *event.Batch) error
	// Flush passes on all that was written, so that w has whole events.
	Flush() error
	// Close writes what ends the file. It does not close w.
	Close() error
}
