package event_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/event"
)

func TestHeaders(t *testing.T) {
	h := event.NewHeaders("host", "a", "timestamp", "1")
	for _, tt := range []struct {
		name string
		h    event.Headers
		want string
	}{
		{"as made", h, "[host=a timestamp=1]"},
		{"a new key goes last", h.With("x", ""), "[host=a timestamp=1 x=]"},
		{"a known key stays in its place", h.With("host", "b"), "[host=b timestamp=1]"},
		{"a key taken out", h.Without("host"), "[timestamp=1]"},
		{"a key that is not there taken out", h.Without("nope"), "[host=a timestamp=1]"},
		{"none", event.Headers{}, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := text(tt.h); got != tt.want {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
	if v, ok := h.Get("timestamp"); v != "1" || !ok {
		t.Errorf("Get(timestamp) = %q, %v; want 1, true", v, ok)
	}
	if v, ok := h.Get("Host"); v != "" || ok {
		t.Errorf("Get(Host) = %q, %v; keys are case-sensitive", v, ok)
	}
	if h.Len() != 2 || h.Empty() || !(event.Headers{}).Empty() {
		t.Errorf("Len() = %d, Empty() = %v", h.Len(), h.Empty())
	}
}

func text(h event.Headers) string {
	var fields []string
	for k, v := range h.All() {
		fields = append(fields, k+"="+v)
	}
	return fmt.Sprint(fields)
}

// events draws a few events of every shape.
var events = rapid.Custom(func(t *rapid.T) []event.Event {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Event {
		var h event.Headers
		for k, v := range rapid.MapOfN(rapid.String(), rapid.String(), 0, 4).Draw(t, "headers") {
			h = h.With(k, v)
		}
		return event.Event{Headers: h, Body: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")}
	}), 0, 20).Draw(t, "events")
})

func batchOf(events []event.Event) *event.Batch {
	var b event.Batch
	for _, e := range events {
		b.Append(e)
	}
	return &b
}

func same(a, b event.Event) bool {
	return text(a.Headers) == text(b.Headers) && bytes.Equal(a.Body, b.Body)
}

func TestDecodeReturnsWhatWasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := events.Draw(t, "events")
		var b event.Batch
		if err := b.Decode(bytes.Clone(batchOf(want).Encoded())); err != nil {
			t.Fatal(err)
		}
		if got := slices.Collect(b.All()); b.Len() != len(want) || !slices.EqualFunc(got, want, same) {
			t.Errorf("got %v; want %v", got, want)
		}
	})
}

func TestSplitKeepsOrderAndBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := events.Draw(t, "events")
		most := rapid.IntRange(1, 7).Draw(t, "most")
		b, joined := batchOf(want), new(event.Batch)
		for part := range b.Split(most) {
			if part.Len() > most || part.Len() == 0 {
				t.Fatalf("a part of %d events; want 1 to %d", part.Len(), most)
			}
			if !slices.EqualFunc(slices.Collect(part.All()), slices.Collect(part.Clone().All()), same) {
				t.Error("a part's clone differs from it")
			}
			var alone event.Batch
			if err := alone.Decode(part.Encoded()); err != nil || alone.Len() != part.Len() {
				t.Errorf("a part encoded alone: %d events, %v; want %d", alone.Len(), err, part.Len())
			}
			joined.AppendBatch(part)
		}
		if !bytes.Equal(joined.Encoded(), b.Encoded()) {
			t.Errorf("the parts together are %d events; want %d", joined.Len(), b.Len())
		}
	})
}

func TestDecodeRefusesAnyFlippedBit(t *testing.T) {
	enc := batchOf([]event.Event{
		{Headers: event.NewHeaders("k", "v"), Body: []byte("body")}, {Body: []byte("x")}, {},
	}).Encoded()
	for bit := range 8 * len(enc) {
		damaged := bytes.Clone(enc)
		damaged[bit/8] ^= 1 << (bit % 8)
		var b event.Batch
		if err := b.Decode(damaged); !errors.Is(err, event.ErrMalformed) || b.Len() != 0 {
			t.Errorf("bit %d flipped: got %v and %d events; want ErrMalformed and none", bit, err, b.Len())
		}
	}
	for n := range enc {
		var b event.Batch
		if err := b.Decode(enc[:n:n]); !errors.Is(err, event.ErrMalformed) {
			t.Errorf("cut at %d: got %v; want ErrMalformed", n, err)
		}
	}
}

func TestAppendFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := events.Draw(t, "events")
		var b event.Batch
		for _, e := range want {
			var fields [][]byte
			for k, v := range e.Headers.All() {
				fields = append(fields, []byte(k), []byte(v))
			}
			b.AppendFields(fields, e.Body)
		}
		if !bytes.Equal(b.Encoded(), batchOf(want).Encoded()) {
			t.Errorf("got %x; want what Append makes of it, %x", b.Encoded(), batchOf(want).Encoded())
		}
	})
	var b event.Batch
	long := bytes.Repeat([]byte("x"), 1<<14)
	b.AppendFields([][]byte{[]byte("k"), long}, long)
	if want := batchOf([]event.Event{{Headers: event.NewHeaders("k", string(long)), Body: long}}); !bytes.Equal(b.Encoded(), want.Encoded()) {
		t.Error("long fields: it differs from what Append makes of it")
	}
}

func TestReset(t *testing.T) {
	b := batchOf([]event.Event{{Body: []byte("a")}, {Body: []byte("b")}})
	b.Encoded()
	b.Reset()
	if b.Len() != 0 || b.Size() != 0 || len(slices.Collect(b.All())) != 0 {
		t.Errorf("after Reset: %d events, %d bytes", b.Len(), b.Size())
	}
	b.Append(event.Event{Body: []byte("c")})
	if want := batchOf([]event.Event{{Body: []byte("c")}}); !bytes.Equal(b.Encoded(), want.Encoded()) {
		t.Errorf("got %x; want %x", b.Encoded(), want.Encoded())
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	var b event.Batch
	for range 100 {
		b.Append(event.Event{Headers: event.NewHeaders("host", "a"), Body: make([]byte, 200)})
	}
	enc := b.Encoded()
	var read event.Batch
	n := 0
	if allocs := testing.AllocsPerRun(10, func() {
		if err := read.Decode(enc); err != nil {
			t.Fatal(err)
		}
		for e := range read.All() {
			n += len(e.Body)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations to read 100 events; want none", allocs)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(batchOf(nil).Encoded())
	f.Add(batchOf([]event.Event{{Headers: event.NewHeaders("k", "v"), Body: []byte("body")}}).Encoded())
	f.Fuzz(func(t *testing.T, enc []byte) {
		var b event.Batch
		if b.Decode(enc) != nil {
			return
		}
		again := batchOf(slices.Collect(b.All()))
		if b.Len() != again.Len() {
			t.Errorf("read %d events of %d", again.Len(), b.Len())
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	body := make([]byte, 200)
	var batch event.Batch
	b.SetBytes(200)
	for b.Loop() {
		if batch.Len() == 1000 {
			batch.Encoded()
			batch.Reset()
		}
		batch.Append(event.Event{Body: body})
	}
}

func BenchmarkDecode(b *testing.B) {
	var batch event.Batch
	for range 1000 {
		batch.Append(event.Event{Body: make([]byte, 200)})
	}
	enc := batch.Encoded()
	b.SetBytes(int64(len(enc)))
	for b.Loop() {
		if err := batch.Decode(enc); err != nil {
			b.Fatal(err)
		}
		for range batch.All() {
		}
	}
}
