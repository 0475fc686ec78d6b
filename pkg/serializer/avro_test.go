package serializer_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/serializer"
)

func container(codec string) serializer.ContainerOptions {
	return serializer.ContainerOptions{SyncIntervalBytes: 2048000, CompressionCodec: codec}
}

// write returns what is written for batches, each flushed.
func write(t *testing.T, opt serializer.Options, batches ...*event.Batch) []byte {
	t.Helper()
	var out bytes.Buffer
	s, err := opt.Build(&out, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := errors.Join(s.Write(b), s.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAvroEventBytes(t *testing.T) {
	const head = "Obj\x01\x04\x16avro.schema\x8a\x02" +
		`{"type":"record","name":"Event","fields":[{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}` +
		"\x14avro.codec\x08null\x00"
	got := write(t, &serializer.AvroEventOptions{ContainerOptions: container("null")}, batch("hi"))
	rest, ok := bytes.CutPrefix(got, []byte(head))
	if !ok {
		t.Fatalf("the head is %q; want %q", got[:min(len(got), len(head))], head)
	}
	marker, block := rest[:16], rest[16:]
	want := "\x02\x28" + "\x02\x0eheader1\x0cvalue1\x00\x04hi" + string(marker)
	if string(block) != want {
		t.Errorf("the block is\n%s; want\n%s", hex.Dump(block), hex.Dump([]byte(want)))
	}
}

func TestAvroEventCodecs(t *testing.T) {
	for _, codec := range []string{"null", "deflate", "snappy", "zstandard"} {
		t.Run(codec, func(t *testing.T) {
			out := write(t, &serializer.AvroEventOptions{ContainerOptions: container(codec)}, batch("a", "b"), new(event.Batch), batch("c"))
			dec, err := ocf.NewDecoder(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(dec.Metadata()["avro.codec"]); got != codec {
				t.Errorf("got codec %q; want %q", got, codec)
			}
			var got []string
			for dec.HasNext() {
				var e struct {
					Headers map[string]string `avro:"headers"`
					Body    []byte            `avro:"body"`
				}
				if err := dec.Decode(&e); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(string(e.Body), e.Headers))
			}
			if want := []string{"amap[header1:value1]", "bmap[header1:value1]", "cmap[header1:value1]"}; dec.Error() != nil || !slices.Equal(got, want) {
				t.Errorf("got %q, %v; want %q", got, dec.Error(), want)
			}
		})
	}
}

func TestAvroEventBlocksEndAtTheInterval(t *testing.T) {
	opt := &serializer.AvroEventOptions{ContainerOptions: container("null")}
	opt.SyncIntervalBytes = 60 // two events and a little
	out := write(t, opt, batch("one", "two", "three", "four", "five", "six"))
	marker := out[bytes.Index(out, []byte("null\x00"))+5:][:16]
	if got := bytes.Count(out, marker) - 1; got != 2 {
		t.Errorf("got %d blocks; want 2", got)
	}
}

func TestAvroDatum(t *testing.T) {
	const schema = `{"type":"string"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/schema" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, schema)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "schema.avsc")
	if err := os.WriteFile(file, []byte(schema), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		headers []string
		static  string
		err     string
	}{
		{"literal", []string{"flume.avro.schema.literal", schema}, "", ""},
		{"URL", []string{"flume.avro.schema.url", server.URL + "/schema"}, "", ""},
		{"URL before literal", []string{"flume.avro.schema.literal", "no", "flume.avro.schema.url", server.URL + "/schema"}, "", ""},
		{"file", []string{"flume.avro.schema.url", "file://" + file}, "", ""},
		{"header before schemaURL", []string{"flume.avro.schema.literal", schema}, "http://nowhere.invalid/", ""},
		{"schemaURL", nil, server.URL + "/schema", ""},
		{"none", nil, "", "does not say its schema"},
		{"not there", nil, server.URL + "/absent", "404 Not Found"},
		{"not JSON", []string{"flume.avro.schema.literal", "no"}, "", "is not JSON"},
		{"unknown scheme", nil, "gopher://x/", "no schema can be had"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b event.Batch
			for _, body := range []string{"\x04hi", "\x06all"} {
				b.Append(event.Event{Headers: event.NewHeaders(tt.headers...), Body: []byte(body)})
			}
			opt := &serializer.AvroDatumOptions{ContainerOptions: container("deflate"), SchemaURL: tt.static}
			if tt.err != "" {
				var out bytes.Buffer
				s, err := opt.Build(&out, false)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Write(&b); err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v; want %q", err, tt.err)
				}
				if err := errors.Join(s.Flush(), s.Close()); err != nil || out.Len() > 0 {
					t.Errorf("got %v and %d bytes; want none", err, out.Len())
				}
				return
			}
			dec, err := ocf.NewDecoder(bytes.NewReader(write(t, opt, &b)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for dec.HasNext() {
				var text string
				if err := dec.Decode(&text); err != nil {
					t.Fatal(err)
				}
				got = append(got, text)
			}
			if want := []string{"hi", "all"}; !slices.Equal(got, want) {
				t.Errorf("got %q; want %q", got, want)
			}
		})
	}
}

func TestAvroDatumFetchesBySchemeOfOthers(t *testing.T) {
	opt := &serializer.AvroDatumOptions{ContainerOptions: container("null"), SchemaURL: "hdfs://nn/schema"}
	var asked []string
	opt.FetchWith("hdfs", func(_ context.Context, url string, most int64) ([]byte, error) {
		asked = append(asked, url)
		return []byte(`"bytes"`), nil
	})
	got := write(t, opt, batch("\x04hi"))
	if !bytes.Contains(got, []byte(`"bytes"`)) || !slices.Equal(asked, []string{opt.SchemaURL}) {
		t.Errorf("asked for %q, got %q; want the schema that was fetched", asked, got)
	}
}

func TestAvroDatumRefusesASecondSchema(t *testing.T) {
	var out bytes.Buffer
	s, err := (&serializer.AvroDatumOptions{ContainerOptions: container("null")}).Build(&out, false)
	if err != nil {
		t.Fatal(err)
	}
	of := func(schemas ...string) *event.Batch {
		var b event.Batch
		for _, schema := range schemas {
			b.Append(event.Event{Headers: event.NewHeaders("flume.avro.schema.literal", schema), Body: []byte("\x02")})
		}
		return &b
	}
	if err := s.Write(of(`"int"`, `"long"`)); err == nil || !strings.Contains(err.Error(), "another schema") {
		t.Errorf("got %v; want that the schema is another", err)
	}
	if err := errors.Join(s.Write(of(`"int"`)), s.Close()); err != nil {
		t.Fatal(err)
	}
	dec, err := ocf.NewDecoder(&out)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; dec.HasNext(); n++ {
		if err := dec.Decode(new(int)); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("got %d data; want 1: nothing of the batch that failed", n)
	}
}

func TestContainersAreNotAppendedTo(t *testing.T) {
	for _, opt := range []serializer.Options{
		&serializer.AvroEventOptions{ContainerOptions: container("null")},
		&serializer.AvroDatumOptions{ContainerOptions: container("null")},
	} {
		if _, err := opt.Build(new(bytes.Buffer), true); err == nil {
			t.Errorf("%T: got no error", opt)
		}
	}
}

func TestHeaderAndText(t *testing.T) {
	var b event.Batch
	b.Append(event.Event{Headers: event.NewHeaders("Severity", "5", "Facility", "1", "timestamp", "7", "host", "a"), Body: []byte("one")})
	b.Append(event.Event{Body: []byte("two")})
	for newline, want := range map[bool]string{
		true:  "{host=a, Severity=5, Facility=1, timestamp=7} one\n{} two\n",
		false: "{host=a, Severity=5, Facility=1, timestamp=7} one{} two",
	} {
		opt := new(serializer.HeaderAndTextOptions)
		if newline {
			opt.AppendNewline = true
		}
		if got := string(write(t, opt, &b)); got != want {
			t.Errorf("newline %v: got %q; want %q", newline, got, want)
		}
	}
}
