package kafka

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/event"
)

// flumeEvent is an event in Avro's terms, for a codec that is not ours.
type flumeEvent struct {
	Headers map[string]string `avro:"headers"`
	Body    []byte            `avro:"body"`
}

var schema = avro.MustParse(`{"type":"record","name":"AvroFlumeEvent","fields":[
	{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`)

func TestAvroIsAvro(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := flumeEvent{
			Headers: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "headers"),
			Body:    rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		e := event.Event{Body: want.Body}
		for key, value := range want.Headers {
			e.Headers = e.Headers.With(key, value)
		}
		same := func(who string, got flumeEvent) {
			if !bytes.Equal(got.Body, want.Body) || len(got.Headers) != len(want.Headers) {
				t.Fatalf("%s: got %v; want %v", who, got, want)
			}
			for key, value := range want.Headers {
				if got.Headers[key] != value {
					t.Fatalf("%s: header %q: got %q; want %q", who, key, got.Headers[key], value)
				}
			}
		}
		var theirs flumeEvent
		if err := avro.Unmarshal(schema, appendAvro(nil, e), &theirs); err != nil {
			t.Fatal(err)
		}
		same("what we write, read by another", theirs)

		text, err := avro.Marshal(schema, want)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeAvro(text)
		if err != nil {
			t.Fatal(err)
		}
		ours := flumeEvent{Headers: map[string]string{}, Body: back.Body}
		for key, value := range back.Headers.All() {
			ours.Headers[key] = value
		}
		same("what another writes, read by us", ours)
	})
}

func TestDecodeAvro(t *testing.T) {
	for _, tt := range []struct {
		name, text, body, err string
		headers               []string
	}{
		{name: "no headers", text: "\x00\x04hi", body: "hi"},
		{name: "a header", text: "\x02\x02k\x02v\x00\x04hi", body: "hi", headers: []string{"k", "v"}},
		{name: "a block with its size", text: "\x01\x08\x02k\x02v\x00\x00", headers: []string{"k", "v"}},
		{name: "two blocks", text: "\x02\x02k\x02v\x02\x02l\x02w\x00\x00", headers: []string{"k", "v", "l", "w"}},
		{name: "a header twice", text: "\x04\x02k\x02v\x02k\x02w\x00\x00", headers: []string{"k", "w"}},
		{name: "nothing", text: "", err: "ends too early"},
		{name: "a body that is cut", text: "\x00\x08hi", err: "ends too early"},
		{name: "a line of text", text: "hello, world", err: "ends too early"},
		{name: "a huge count", text: "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", err: "ends too early"},
		{name: "the least count", text: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", err: "ends too early"},
		{name: "a negative length", text: "\x00\x01", err: "negative length"},
		{name: "a number without end", text: strings.Repeat("\xff", 11), err: "too long"},
		{name: "something behind", text: "\x00\x04hi!", err: "1 bytes follow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := decodeAvro([]byte(tt.text))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v; want …%s…", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var headers []string
			for key, value := range e.Headers.All() {
				headers = append(headers, key, value)
			}
			if string(e.Body) != tt.body || strings.Join(headers, " ") != strings.Join(tt.headers, " ") {
				t.Errorf("got %q %q; want %q %q", headers, e.Body, tt.headers, tt.body)
			}
		})
	}
}

func FuzzDecodeAvro(f *testing.F) {
	f.Add([]byte("\x02\x02k\x02v\x00\x04hi"))
	f.Add([]byte("\x01\x08\x02k\x02v\x00\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := decodeAvro(text)
		if err != nil {
			return
		}
		again, err := decodeAvro(appendAvro(nil, e))
		if err != nil || !bytes.Equal(again.Body, e.Body) || again.Headers.Len() != e.Headers.Len() {
			t.Errorf("%q: got %v, %v; want %v", text, again, err, e)
		}
	})
}

func TestRecords(t *testing.T) {
	b := new(event.Batch)
	b.Append(event.Event{Headers: event.NewHeaders("key", "k1", "to", "3"), Body: []byte("a")})
	b.Append(event.Event{Headers: event.NewHeaders("to", "0"), Body: []byte("b")})
	b.Append(event.Event{Body: []byte("c")})
	c := codec{topic: "t", partitionHeader: "to", defaultPartition: 7}
	records, err := c.records(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []kgo.Record{
		{Key: []byte("k1"), Partition: 3, Value: []byte("a")},
		{Partition: 0, Value: []byte("b")},
		{Partition: 7, Value: []byte("c")},
	} {
		got := records[i]
		if !bytes.Equal(got.Key, want.Key) || (got.Key == nil) != (want.Key == nil) || got.Partition != want.Partition || !bytes.Equal(got.Value, want.Value) {
			t.Errorf("record %d: got %v; want %v", i, got, want)
		}
	}
	for _, bad := range []string{"x", "-1", "", "99999999999"} {
		b := new(event.Batch)
		b.Append(event.Event{Headers: event.NewHeaders("to", bad)})
		if _, err := c.records(b); err == nil || !strings.Contains(err.Error(), "is not the number of a partition") {
			t.Errorf("partition %q: got %v", bad, err)
		}
	}
}
