// The avro_datum serializer (AvroEventSerializer, in Flume) writes an Avro
// object container file of event bodies, each of which is one Avro datum in
// binary encoding. Headers are not written.
//
// The schema comes with the first event of each file: in its header
// flume.avro.schema.literal, or from the URL in its header
// flume.avro.schema.url, which comes first; without either from schemaURL. A
// URL is http:, https: or file:, and for an hdfs sink hdfs: as well. That a body
// is a datum of that schema is not checked.
//
// All events of a file have one schema. An event whose headers name another one
// is refused: have it in another file, as with hdfs.path =
// …/%{flume.avro.schema.url}.

package serializer

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

//go:embed avrodatum.go
var avroDatumSource string

// AvroDatum is the avro_datum serializer's line in the catalogue.
var AvroDatum = Spec{
	Name:    "avro_datum",
	Class:   "org.apache.flume.sink.hdfs.AvroEventSerializer$Builder",
	Summary: "Write event bodies that are Avro data in an Avro container file.",
	Manual:  component.Manual(avroDatumSource),
	New:     func() Options { return new(AvroDatumOptions) },
}

// AvroDatumOptions are the properties of an avro_datum serializer.
type AvroDatumOptions struct {
	ContainerOptions `embed:""`
	SchemaURL        string `name:"schemaURL" placeholder:"URL" help:"Where the schema is for events that do not say it."`

	fetch map[string]Fetch // by scheme
}

// FetchWith implements Fetching.
func (o *AvroDatumOptions) FetchWith(scheme string, fetch Fetch) {
	if o.fetch == nil {
		o.fetch = make(map[string]Fetch)
	}
	o.fetch[scheme] = fetch
}

// Build implements Options. The serializer cannot append.
func (o *AvroDatumOptions) Build(w io.Writer, appending bool) (Serializer, error) {
	if appending {
		return nil, errAppend
	}
	return &avroDatum{w: w, opt: o}, nil
}

// avroDatum has no container before the first event.
type avroDatum struct {
	w    io.Writer
	opt  *AvroDatumOptions
	from schemaSource
	to   *container
}

// schemaSource is where an event has its schema: one of them is set.
type schemaSource struct{ url, literal string }

func (d *avroDatum) source(e event.Event) schemaSource {
	if address, ok := e.Headers.Get("flume.avro.schema.url"); ok {
		return schemaSource{url: address}
	}
	if literal, ok := e.Headers.Get("flume.avro.schema.literal"); ok {
		return schemaSource{literal: literal}
	}
	return schemaSource{url: d.opt.SchemaURL}
}

func (d *avroDatum) Write(b *event.Batch) error {
	for e := range b.All() {
		if err := d.write(e); err != nil {
			if d.to != nil {
				d.to.drop()
			}
			return err
		}
	}
	return nil
}

func (d *avroDatum) write(e event.Event) error {
	from := d.source(e)
	if d.to == nil {
		schema, err := d.schema(from)
		if err != nil {
			return err
		}
		if d.to, err = newContainer(d.w, schema, &d.opt.ContainerOptions); err != nil {
			d.to = nil
			return err
		}
		d.from = from
	}
	if from != d.from {
		// Flume: it is written under the first one's schema, and nobody can read the file.
		return errors.New("an event has another schema than those before it in its file; have it in another file by hdfs.path = …/%{flume.avro.schema.url}")
	}
	d.to.block = append(d.to.block, e.Body...)
	return d.to.ended()
}

func (d *avroDatum) Flush() error {
	if d.to == nil {
		return nil
	}
	return d.to.Flush()
}

// Flume: closing a file that nothing could be written to is an exception.
func (d *avroDatum) Close() error { return d.Flush() }

// schema returns the text of the schema.
func (d *avroDatum) schema(s schemaSource) (string, error) {
	text := []byte(s.literal)
	if s == (schemaSource{}) {
		return "", errors.New("the event does not say its schema: set schemaURL, or its header flume.avro.schema.url or flume.avro.schema.literal")
	}
	if s.url != "" {
		var err error
		if text, err = d.opt.fetchSchema(s.url); err != nil {
			return "", fmt.Errorf("fetching the schema: %w", err)
		}
	}
	if !json.Valid(text) {
		return "", fmt.Errorf("the schema is not JSON: %.60q", text)
	}
	return string(text), nil
}

// maxSchema bounds what a URL may send.
const maxSchema = 16 << 20

func (o *AvroDatumOptions) fetchSchema(address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if fetch := o.fetch[u.Scheme]; fetch != nil {
		return fetch(ctx, address, maxSchema)
	}
	switch u.Scheme {
	case "file", "":
		return os.ReadFile(u.Path)
	case "http", "https":
	default:
		return nil, fault.Hint(fmt.Errorf("no schema can be had from %q", address), "name it as http:, https: or file:")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxSchema))
}
