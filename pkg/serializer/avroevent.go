// The avro_event serializer writes an Avro object container file of whole
// events, headers and bodies. Every Avro tool reads it; its schema is
//
//	{"type":"record","name":"Event","fields":[
//	  {"name":"headers","type":{"type":"map","values":"string"}},
//	  {"name":"body","type":"bytes"}]}
//
// A block ends with each batch, and within a batch when it has
// syncIntervalBytes. A file without an event is a container all the same.

package serializer

import (
	_ "embed"
	"encoding/binary"
	"io"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
)

//go:embed avroevent.go
var avroEventSource string

// AvroEvent is the avro_event serializer's line in the catalogue.
var AvroEvent = Spec{
	Name:    "avro_event",
	Class:   "org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder",
	Summary: "Write events, headers and bodies, in an Avro container file.",
	Manual:  component.Manual(avroEventSource),
	New:     func() Options { return new(AvroEventOptions) },
}

// AvroEventOptions are the properties of an avro_event serializer.
type AvroEventOptions struct {
	ContainerOptions `embed:""`
}

const avroEventSchema = `{"type":"record","name":"Event","fields":[` +
	`{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`

// Build implements Options. The serializer cannot append.
func (o *AvroEventOptions) Build(w io.Writer, appending bool) (Serializer, error) {
	if appending {
		return nil, errAppend
	}
	c, err := newContainer(w, avroEventSchema, &o.ContainerOptions)
	if err != nil {
		return nil, err
	}
	return &avroEvent{c}, nil
}

type avroEvent struct{ *container }

func (a *avroEvent) Write(b *event.Batch) error {
	for e := range b.All() {
		if n := e.Headers.Len(); n > 0 {
			a.block = binary.AppendVarint(a.block, int64(n))
			for key, value := range e.Headers.All() {
				a.block = appendAvroString(appendAvroString(a.block, key), value)
			}
		}
		a.block = append(a.block, 0)
		a.block = appendAvroString(a.block, e.Body)
		if err := a.ended(); err != nil {
			return err
		}
	}
	return nil
}
