package syslog_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/source/syslog"
)

// split returns the messages of text when it comes in the given pieces; those
// that are cut have a "…" at their end.
func split(size int, pieces ...string) []string {
	s := syslog.Splitter{Size: size}
	var all []string
	take := func(msg []byte, cut bool) {
		switch {
		case cut:
			all = append(all, string(msg)+"…")
		case len(msg) > 0:
			all = append(all, string(msg))
		}
	}
	var buf []byte
	for _, piece := range pieces {
		buf = append(buf, piece...)
		for len(buf) > 0 {
			msg, n, cut := s.Next(buf)
			if n == 0 {
				break
			}
			take(msg, cut)
			buf = buf[n:]
		}
	}
	for len(buf) > 0 {
		msg, n, cut := s.Rest(buf)
		take(msg, cut)
		buf = buf[n:]
	}
	return all
}

// TestSplitter has each text come whole, byte by byte, and in two pieces cut at
// every byte.
func TestSplitter(t *testing.T) {
	line := "<13>" + strings.Repeat("a", 16) // as long as may be
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"lines", "<1>a\n<2>b\n", []string{"<1>a", "<2>b"}},
		{"empty lines", "\n\n<1>a\n\n<2>b\n\n", []string{"<1>a", "<2>b"}},
		{"a line without its newline", "<1>a\n<2>b", []string{"<1>a", "<2>b"}},
		{"CRLF", "<1>a\r\n", []string{"<1>a\r"}},
		{"a newline in the priority", "<1\n<2>b\n", []string{"<1", "<2>b"}},
		{"as long as may be", line + "\n<2>b\n", []string{line, "<2>b"}},
		{"longer", line + "b\n<2>b\n", []string{line + "…", "b", "<2>b"}},
		{"much longer", line + line + "b\n", []string{line + "…", line + "…", "b"}},
		{"as long as may be, at the end", line, []string{line}},
		{"lengths", "4 <1>a5 <2>bb", []string{"<1>a", "<2>bb"}},
		{"lengths and newlines within", "6 <1>a\nb4 <2>c", []string{"<1>a\nb", "<2>c"}},
		{"lengths that count a newline", "5 <1>a\n4 <2>b", []string{"<1>a", "<2>b"}},
		{"lengths and newlines after", "4 <1>a\n4 <2>b\n", []string{"<1>a", "<2>b"}},
		{"lengths and lines", "4 <1>a<2>b\n4 <3>c<4>d", []string{"<1>a", "<2>b", "<3>c", "<4>d"}},
		{"a length longer than may be", "43 " + line + line + "bcd<2>b\n", []string{line + "…", line + "…", "bcd", "<2>b"}},
		{"a length of which not all came", "9 <1>a", []string{"<1>a…"}},
		{"a longer one of which not all came", "43 " + line + line + "b", []string{line + "…", line + "…", "b…"}},
		{"digits that are no length", "12 monkeys\n<2>b\n", []string{"12 monkeys", "<2>b"}},
		{"a length that is none", "0 <1>a\n00012 <1>a\n", []string{"0 <1>a", "00012 <1>a"}},
		{"a length of too many digits", "12345678901 <1>a\n", []string{"12345678901 <1>a"}},
		{"digits and the end", "12", []string{"12"}},
		{"a length and the end", "12 ", []string{"12 "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ways := [][]string{{tt.text}, strings.Split(tt.text, "")}
			for i := range len(tt.text) {
				ways = append(ways, []string{tt.text[:i], tt.text[i:]})
			}
			for _, pieces := range ways {
				if got := split(20, pieces...); !slices.Equal(got, tt.want) {
					t.Fatalf("%q: got %q; want %q", pieces, got, tt.want)
				}
			}
		})
	}
}

// FuzzSplitter holds that nothing is lost, however the bytes come, and that no
// message is too long.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("<1>a\n4 <1>a<2>b\n43 <13>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), uint8(7), uint8(20))
	f.Add([]byte("12 monkeys\n\n9 <1>a"), uint8(1), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, at, size uint8) {
		most := int(size) + 1
		whole := split(most, string(text))
		i := min(int(at), len(text))
		if parts := split(most, string(text[:i]), string(text[i:])); !slices.Equal(parts, whole) {
			t.Errorf("whole %q; in two pieces %q", whole, parts)
		}
		rest := text
		for _, msg := range whole {
			msg = strings.TrimSuffix(msg, "…")
			if len(msg) > most {
				t.Errorf("a message of %d bytes; want %d at most", len(msg), most)
			}
			from := bytes.Index(rest, []byte(msg))
			if from < 0 || len(bytes.Trim(rest[:from], "\n 0123456789")) > 0 {
				t.Fatalf("before %q something is lost of %q", msg, rest)
			}
			rest = rest[from+len(msg):]
		}
		if len(bytes.Trim(rest, "\n")) > 0 {
			t.Errorf("at the end %q is lost", rest)
		}
	})
}

func BenchmarkSplitter(b *testing.B) {
	for name, msg := range map[string]string{
		"lines":   strings.Repeat("x", 199) + "\n",
		"lengths": fmt.Sprintf("%d <13>%s", 200, strings.Repeat("x", 196)),
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(strings.Repeat(msg, 1000))
			s := syslog.Splitter{Size: 2500}
			b.SetBytes(int64(len(msg)))
			rest := text
			for b.Loop() {
				_, n, _ := s.Next(rest)
				if rest = rest[n:]; len(rest) == 0 {
					rest = text
				}
			}
		})
	}
}
