package eventtext_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventtext"
)

func TestAppend(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers event.Headers
		body    string
		most    int
		want    string
	}{
		{"a short body", event.Headers{}, "hi", 16,
			"{ headers:{} body: 68 69                                           hi }"},
		{"a body longer than a row", event.NewHeaders("host", "h1", "timestamp", "123"), "0123456789abcdefghij", 16,
			"{ headers:{host=h1, timestamp=123} body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef }"},
		{"no body", event.Headers{}, "", 16, "{ headers:{} body: }"},
		{"a line from telnet", event.Headers{}, "Scala\r", 16,
			"{ headers:{} body: 53 63 61 6C 61 0D                               Scala. }"},
		{"bytes that are not printable", event.Headers{}, "\x00\x00\x00\x00\x00", 16,
			"{ headers:{} body: 00 00 00 00 00                                  ..... }"},
		{"more than a row", event.Headers{}, "0123456789abcdefghij", 30,
			"{ headers:{} body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef\n" +
				"00000010 67 68 69 6A                                     ghij }"},
		{"the edges of ASCII", event.Headers{}, "\x1f ~\x7f\x80\xff", 16,
			"{ headers:{} body: 1F 20 7E 7F 80 FF                               . ~... }"},
		{"none of it", event.Headers{}, "hi", 0, "{ headers:{} body: }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(eventtext.Append(nil, event.Event{Headers: tt.headers, Body: []byte(tt.body)}, tt.most))
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestAppendOffset(t *testing.T) {
	body := make([]byte, 0x1010)
	dump := string(eventtext.Append(nil, event.Event{Body: body}, len(body)))
	lines := strings.Split(dump, "\n")
	if got, want := lines[len(lines)-1], "00001000 00 "; len(lines) != 0x101 || !strings.HasPrefix(got, want) {
		t.Errorf("%d rows, the last %q; want %d, the last %q…", len(lines), got, 0x101, want)
	}
}

func TestAppendLine(t *testing.T) {
	at := time.Date(2019, 5, 30, 22, 50, 45, 479_999_999, time.Local)
	got := string(eventtext.AppendLine(nil, at, event.Event{Body: []byte("hi")}, eventtext.DefaultBytes))
	want := "2019-05-30 22:50:45,479 INFO sink.LoggerSink: Event: { headers:{} body: 68 69                                           hi }\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// What is wanted here was printed by java.util.HashMap.toString of OpenJDK 17.
func TestAppendHeaders(t *testing.T) {
	thirteen := []string{}
	for i := range 13 {
		thirteen = append(thirteen, fmt.Sprintf("k%d", i), "")
	}
	for _, tt := range []struct {
		name    string
		headers event.Headers
		want    string
	}{
		{"none", event.Headers{}, "{}"},
		{"one", event.NewHeaders("a", "1"), "{a=1}"},
		{"syslog's", event.NewHeaders("Severity", "6", "Facility", "1", "timestamp", "9", "host", "h"),
			"{host=h, Severity=6, Facility=1, timestamp=9}"},
		{"one bucket, as they were put", event.NewHeaders("BB", "1", "Aa", "2"), "{BB=1, Aa=2}"},
		{"one bucket, the other way", event.NewHeaders("Aa", "2", "BB", "1"), "{Aa=2, BB=1}"},
		{"nothing is quoted", event.NewHeaders("a", "x, b=y"), "{a=x, b=y}"},
		{"more than fit 16 buckets", event.NewHeaders(thirteen...),
			"{k0=, k1=, k2=, k3=, k4=, k5=, k11=, k6=, k10=, k7=, k8=, k12=, k9=}"},
		{"surrogate pairs", event.NewHeaders("😀", "1", "é", "2"), "{😀=1, é=2}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(eventtext.AppendHeaders([]byte("<"), tt.headers)); got != "<"+tt.want {
				t.Errorf("got %q; want %q", got, "<"+tt.want)
			}
		})
	}
}

var sample = event.Event{
	Headers: event.NewHeaders("timestamp", "1577836800000", "host", "a"),
	Body:    []byte(strings.Repeat("0123456789", 20)),
}

func TestAppendAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1024)
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() { buf = eventtext.AppendLine(buf[:0], now, sample, 16) }); n > 0 {
		t.Errorf("%v allocations an event; want none", n)
	}
}

func BenchmarkAppendLine(b *testing.B) {
	var buf []byte
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		buf = eventtext.AppendLine(buf[:0], now, sample, eventtext.DefaultBytes)
	}
}
