package serializer_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/serializer"
)

func batch(bodies ...string) *event.Batch {
	var b event.Batch
	for _, body := range bodies {
		b.Append(event.Event{Headers: event.NewHeaders("header1", "value1"), Body: []byte(body)})
	}
	return &b
}

func TestText(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 50_000) // several chunks
	for _, tt := range []struct {
		name    string
		newline option.Bool
		bodies  []string
		want    string
	}{
		{"with newline", true, []string{"event 1", "event 2", "event 3"}, "event 1\nevent 2\nevent 3\n"},
		{"without newline", false, []string{"event 1", "event 2", "event 3"}, "event 1event 2event 3"},
		{"empty bodies", true, []string{"", ""}, "\n\n"},
		{"no events", true, nil, ""},
		{"long bodies among short ones", true, []string{"a", long, "b", long}, "a\n" + long + "\nb\n" + long + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			s, err := (&serializer.TextOptions{AppendNewline: tt.newline}).Build(&out, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Write(batch(tt.bodies...)), s.Flush(), s.Close()); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != tt.want {
				t.Errorf("got %d bytes, %.40q…; want %d, %.40q…", len(got), got, len(tt.want), tt.want)
			}
		})
	}
}

// limited takes so many bytes and then no more.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errors.New("full")
	}
	l.left -= len(p)
	return l.Buffer.Write(p)
}

func TestTextKeepsNothingOfABatchThatFailed(t *testing.T) {
	out := &limited{}
	s, err := (&serializer.TextOptions{AppendNewline: true}).Build(out, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(batch("lost")); err == nil {
		t.Fatal("the writer was full; Write said nothing")
	}
	out.left = 100
	if err := s.Write(batch("next")); err != nil || out.String() != "next\n" {
		t.Errorf("got %q, %v; want the next batch alone", out.String(), err)
	}
}

func BenchmarkText(b *testing.B) {
	var batch event.Batch
	for range 1000 {
		batch.Append(event.Event{Body: make([]byte, 200)})
	}
	s, _ := (&serializer.TextOptions{AppendNewline: true}).Build(discard{}, false)
	b.ReportAllocs()
	b.SetBytes(int64(batch.Len() * 201))
	for b.Loop() {
		if err := s.Write(&batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
