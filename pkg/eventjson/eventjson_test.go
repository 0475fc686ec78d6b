package eventjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventjson"
	"github.com/flumekit/flumekit/pkg/fault"
)

func ExampleAppend() {
	e := event.Event{Headers: event.NewHeaders("host", "a"), Body: []byte("hi")}
	fmt.Printf("%s\n", eventjson.Append(nil, e))
	// Output: {"headers":{"host":"a"},"body":"hi"}
}

func TestAppend(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers event.Headers
		body    string
		want    string
	}{
		{"nothing", event.Headers{}, "", `{"headers":{},"body":""}`},
		{"headers in order", event.NewHeaders("z", "1", "a", "2"), "x", `{"headers":{"z":"1","a":"2"},"body":"x"}`},
		{"what JSON escapes", event.NewHeaders(`"`, "\x00"), "\"\\\n\r\t\b\f\x1f", `{"headers":{"\"":"\u0000"},"body":"\"\\\n\r\t\u0008\u000c\u001f"}`},
		{"what it need not", event.Headers{}, "</&>\x7f\u2028é€😀", "{\"headers\":{},\"body\":\"</&>\x7f\u2028é€😀\"}"},
		{"a body that is not UTF-8", event.Headers{}, "caf\xe9", `{"headers":{},"body64":"Y2Fm6Q=="}`},
		{"a header that is not UTF-8", event.NewHeaders("k", "caf\xe9"), "", `{"headers":{"k":"caf�"},"body":""}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(eventjson.Append([]byte("before "), event.Event{Headers: tt.headers, Body: []byte(tt.body)}))
			if want := "before " + tt.want; got != want {
				t.Errorf("got %s; want %s", got, want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"members in another order", `{"body":"x","headers":{"a":"1"}}`, `{"headers":{"a":"1"},"body":"x"}`},
		{"white space", " {\t\"headers\" : { \"a\" :\r\"1\" , \"b\":\"2\" } , \"body\" : \"x\" } \n", `{"headers":{"a":"1","b":"2"},"body":"x"}`},
		{"no headers", `{"body":"x"}`, `{"headers":{},"body":"x"}`},
		{"headers that are null", `{"headers":null,"body":"x"}`, `{"headers":{},"body":"x"}`},
		{"base64", `{"body64":"Y2Fm6Q=="}`, `{"headers":{},"body64":"Y2Fm6Q=="}`},
		{"escapes", `{"body":"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\\u005A"}`, `{"headers":{},"body":"é😀/\u0008\u000c\n\r\t\"\\Z"}`},
		{"an escaped name", `{"\u0062ody":"x"}`, `{"headers":{},"body":"x"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := eventjson.Decode([]byte(tt.line))
			if got := string(eventjson.Append(nil, e)); err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"nothing", ``, `at byte 0: the end in place of '{'`},
		{"text", `hello`, `at byte 0: 'h' in place of '{'`},
		{"another object", `{"level":"info"}`, `an event has no member "level"`},
		{"more than an event", `{"body":"x","level":"info"}`, `an event has no member "level"`},
		{"no body", `{"headers":{}}`, `no body`},
		{"two bodies", `{"body":"x","body64":""}`, `a second body`},
		{"headers twice", `{"headers":{},"headers":{},"body":""}`, `a second "headers"`},
		{"a header twice", `{"headers":{"a":"1","a":"2"},"body":""}`, `a header that is there twice`},
		{"a number for a header", `{"headers":{"a":1},"body":""}`, `header "a": '1' in place of '"'`},
		{"a number for a body", `{"body":1}`, `'1' in place of '"'`},
		{"wrong base64", `{"body64":"?"}`, `illegal base64`},
		{"a line that was cut", `{"body":"x`, `at byte 10: a string without its end`},
		{"a cut escape", `{"body":"\u12`, `a cut escape`},
		{"an unknown escape", `{"body":"\x41"}`, `unknown escape \x`},
		{"no hexadecimal digits", `{"body":"\u12g4"}`, `four hexadecimal digits`},
		{"half a surrogate pair", `{"body":"\ud83d\u0041"}`, `half a surrogate pair`},
		{"a control character", "{\"body\":\"a\tb\"}", `a control character '\t'`},
		{"more after it", `{"body":"x"}{}`, `at byte 12: more after the object`},
		{"a zero byte after it", "{\"body\":\"x\"}\x00", `more after the object`},
		{"too many headers", manyHeaders(eventjson.MaxHeaders + 1), `more than 1000 headers`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := eventjson.Decode([]byte(tt.line))
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(fault.Lines(err)) != 2 {
				t.Errorf("got %q; want %q and a hint", fault.Lines(err), tt.want)
			}
		})
	}
	if e, err := eventjson.Decode([]byte(manyHeaders(eventjson.MaxHeaders))); err != nil || e.Headers.Len() != eventjson.MaxHeaders {
		t.Errorf("%d headers: got %d, %v", eventjson.MaxHeaders, e.Headers.Len(), err)
	}
}

func manyHeaders(n int) string {
	var fields []string
	for i := range n {
		fields = append(fields, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return `{"headers":{` + strings.Join(fields, ",") + `},"body":""}`
}

func TestDecodeReturnsWhatWasAppended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want event.Event
		for k, v := range rapid.MapOfN(rapid.String(), rapid.String(), 0, 4).Draw(t, "headers") {
			want.Headers = want.Headers.With(k, v)
		}
		if rapid.Bool().Draw(t, "text") {
			want.Body = []byte(rapid.String().Draw(t, "body"))
		} else {
			want.Body = rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		}
		line := eventjson.Append(nil, want)
		got, err := eventjson.Decode(line)
		if err != nil || !same(got, want) {
			t.Errorf("%s: got %v, %v; want %v", line, got, err, want)
		}
		if !json.Valid(line) || bytes.ContainsRune(line, '\n') {
			t.Errorf("%q is not one line of JSON", line)
		}
	})
}

func same(a, b event.Event) bool {
	return bytes.Equal(a.Body, b.Body) && slices.Equal(fields(a.Headers), fields(b.Headers))
}

func fields(h event.Headers) []string {
	var all []string
	for k, v := range h.All() {
		all = append(all, k, v)
	}
	return all
}

// FuzzDecode holds Decode against encoding/json: what it takes is JSON and
// means the same there.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"headers":{"a":"1","b":"2"},"body":"x"}`))
	f.Add([]byte(` {"body64" : "Y2Fm6Q==", "headers":null}`))
	f.Add([]byte(`{"body":"\ud83d\ude00\n\\"}`))
	f.Add([]byte(`{"body":"a line of more than eight bytes \" \u00e9"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := eventjson.Decode(line)
		if err != nil {
			return
		}
		var want struct {
			Headers map[string]string `json:"headers"`
			Body    string            `json:"body"`
			Body64  []byte            `json:"body64"`
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%q: taken, but %v", line, err)
		}
		if !utf8.Valid(line) {
			return // encoding/json changes these bytes; Decode keeps them
		}
		if body := want.Body + string(want.Body64); string(e.Body) != body {
			t.Errorf("%q: got body %q; want %q", line, e.Body, body)
		}
		for k, v := range e.Headers.All() {
			if want.Headers[k] != v {
				t.Errorf("%q: got header %q=%q; want %q", line, k, v, want.Headers[k])
			}
		}
		if e.Headers.Len() != len(want.Headers) {
			t.Errorf("%q: got %d headers; want %d", line, e.Headers.Len(), len(want.Headers))
		}
	})
}

var sample = event.Event{
	Headers: event.NewHeaders("host", "a", "timestamp", "1577836800000"),
	Body:    bytes.Repeat([]byte("0123456789"), 20),
}

func TestAppendAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = eventjson.Append(buf[:0], sample) }); n > 0 {
		t.Errorf("%v allocations an event; want none", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(sample.Body)))
	for b.Loop() {
		buf = eventjson.Append(buf[:0], sample)
	}
}

func BenchmarkDecode(b *testing.B) {
	line := eventjson.Append(nil, sample)
	b.ReportAllocs()
	b.SetBytes(int64(len(sample.Body)))
	for b.Loop() {
		if _, err := eventjson.Decode(line); err != nil {
			b.Fatal(err)
		}
	}
}
