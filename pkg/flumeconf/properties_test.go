package flumeconf_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// parse returns the properties of text as "line key=value".
func parse(t *testing.T, text string) []string {
	t.Helper()
	props, err := flumeconf.Parse("f", strings.NewReader(text))
	if err != nil {
		t.Fatal(fault.Lines(err))
	}
	var lines []string
	for _, p := range props {
		if p.Pos.File != "f" {
			t.Errorf("%s stands in %q; want f", p.Key, p.Pos.File)
		}
		lines = append(lines, fmt.Sprintf("%d %s=%s", p.Pos.Line, p.Key, p.Value))
	}
	return lines
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"all separators", "a=1\nb:2\nc 3\nd\t4\ne\f5\nf = 6\ng : 7\nh   8", []string{"1 a=1", "2 b=2", "3 c=3", "4 d=4", "5 e=5", "6 f=6", "7 g=7", "8 h=8"}},
		{"only the first separator", "a==1\nb=:2\nc = = 3\nd  :=4", []string{"1 a==1", "2 b=:2", "3 c== 3", "4 d==4"}},
		{"no value", "a\nb=\nc :  \n=d", []string{"1 a=", "2 b=", "3 c=", "4 =d"}},
		{"all line ends", "a=1\r\nb=2\rc=3\n\r\n\n\rd=4", []string{"1 a=1", "2 b=2", "3 c=3", "7 d=4"}},
		{"comments and blank lines", "# a=1\n  ! b=2\n \t\f\nc=3 # not a comment\n#d=\\\ne=5", []string{"4 c=3 # not a comment", "6 e=5"}},
		{"leading and trailing blanks", " \t\f a=1 \t \n  b = 2", []string{"1 a=1", "2 b=2"}},
		{"escaped blanks at the ends go, too", "\\ a=\\t1\\u0020\n", []string{"1 a=1"}},
		{"continuation", "a=1,\\\n   2,\\\r\n\t3\nb=4", []string{"1 a=1,2,3", "4 b=4"}},
		{"continuation within a key", "a.\\\n  b=1", []string{"1 a.b=1"}},
		{"two backslashes do not continue", "a=1\\\\\nb=2", []string{"1 a=1\\", "2 b=2"}},
		{"three do", "a=1\\\\\\\nb=2", []string{"1 a=1\\b=2"}},
		{"a comment may be continued to", "a=1\\\n#2", []string{"1 a=1#2"}},
		{"continued by a blank line", "a=1\\\n\nb=2", []string{"1 a=1", "3 b=2"}},
		{"continued by nothing", "a=1\\", []string{"1 a=1"}},
		{"a backslash alone is a blank line", "\\\n\n \\\n#b\n\\\n a=1\n\\", []string{"6 a=1"}},
		{"escapes", `a=\\ \t\n\r\f. \d\:\=\#\!\"`, []string{"1 a=\\ \t\n\r\f. d:=#!\""}},
		{"escapes in keys", `a\=\:\ b\u0063=1`, []string{"1 a=: bc=1"}},
		{"escaped letters in UTF-8", `a=\é`, []string{"1 a=é"}},
		{"unicode", `a=\u00e9\u00E9\uD83D\uDE00x`, []string{"1 a=éé😀x"}},
		{"an escaped u is no escape", `a=\\u12`, []string{"1 a=\\u12"}},
		{"UTF-8", "a=é😀", []string{"1 a=é😀"}},
		{"ISO-8859-1", "a=\xe9\nb=\xff", []string{"1 a=é", "2 b=ÿ"}},
		{"a byte order mark", "\ufeffa=1", []string{"1 a=1"}},
		{"a key twice", "a=1\na=2", []string{"1 a=1", "2 a=2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parse(t, tt.text); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	const hint = `hint: write four hexadecimal digits after \u; a backslash itself is \\`
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"digits", "a=1\nb=C:\\users", []string{`error: the escape \users is malformed`, "at: f.conf:2", hint}},
		{"too short", `a\u12=3`, []string{`error: the escape \u12 is malformed`, "at: f.conf:1", hint}},
		{"signs are no digits", `a=\u+123`, []string{`error: the escape \u+123 is malformed`, "at: f.conf:1", hint}},
		{"half a pair", `a=\ud83d.`, []string{`error: "\\ud83d" is half of a surrogate pair`, "at: f.conf:1",
			"hint: write the other half after it, or the character itself in UTF-8"}},
		{"all of them", "a=\\u\nb=2\nc=\\u", []string{
			`error: the escape \u is malformed`, "at: f.conf:1", hint,
			`error: the escape \u is malformed`, "at: f.conf:3", hint}},
		{"UTF-16", "\xff\xfea\x00", []string{"error: the file is in UTF-16", "at: f.conf", "hint: save it as UTF-8"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			props, err := flumeconf.Parse("f.conf", strings.NewReader(tt.text))
			if got := fault.Lines(err); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
			if got := fault.Status(err); got != fault.Config {
				t.Errorf("got status %d; want %d", got, fault.Config)
			}
			if props != nil {
				t.Errorf("got %v beside an error; want no properties", props)
			}
		})
	}
	t.Run("reading", func(t *testing.T) {
		_, err := flumeconf.Parse("f.conf", iotest.ErrReader(io.ErrUnexpectedEOF))
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "f.conf") {
			t.Errorf("got %v; want the reader's error and the file", err)
		}
	})
}

func TestLineComments(t *testing.T) {
	const text = `a=1
#line 70 "other.conf"
b=2

c=\
  3
  #line 5 "with \"quotes\" and \xff.conf"
d=4
#line 9
#line -1 "x"
#line 1 x
#line 99999999999999999999 "x"
# line 1 "x"
e=5
`
	props, err := flumeconf.Parse("f.conf", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range props {
		got = append(got, p.Key+" "+p.Pos.String())
	}
	want := []string{"a f.conf:1", "b other.conf:70", "c other.conf:72",
		"d with \"quotes\" and \xff.conf:5", "e with \"quotes\" and \xff.conf:11"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestFormat(t *testing.T) {
	var b strings.Builder
	err := flumeconf.Format(&b, []flumeconf.Property{
		{Key: "a.b", Value: "c = d", Pos: flumeconf.Position{File: "flume.conf", Line: 7}},
		{Key: "#a b", Value: "é\\\n😀", Pos: flumeconf.Position{File: "é.conf", Line: 1}},
	})
	const want = `#line 7 "flume.conf"
a.b=c = d
#line 1 "\u00e9.conf"
\#a\ b=\u00E9\\\u000A\uD83D\uDE00
`
	if got := b.String(); err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if err := flumeconf.Format(io.Discard, []flumeconf.Property{{Key: "a", Value: "\xff"}}); err == nil {
		t.Error("got no error for a value that is not valid UTF-8")
	}
}

func TestFormatKeepsAll(t *testing.T) {
	word := rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(
			rapid.String(),
			rapid.StringOfN(rapid.SampledFrom([]rune("ab \t\f\n\r=:#!\\u0é😀")), 0, 12, -1),
		).Draw(t, "word")
		return strings.TrimFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return r <= ' ' })
	})
	property := rapid.Custom(func(t *rapid.T) flumeconf.Property {
		return flumeconf.Property{
			Key: word.Draw(t, "key"), Value: word.Draw(t, "value"),
			Pos: flumeconf.Position{
				File: string(rapid.SliceOf(rapid.Byte()).Draw(t, "file")),
				Line: rapid.IntMin(0).Draw(t, "line"),
			},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(property).Draw(t, "properties")
		var b bytes.Buffer
		if err := flumeconf.Format(&b, want); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		got, err := flumeconf.Parse("f", &b)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q; want %q; text:\n%s", got, want, text)
		}
	})
}

// FuzzParse holds that no text makes Parse, Merge or Check panic, that no
// property has white space around it, and that Format keeps them all.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a1.sources = r1\na1.channels = c1\na1.sources.r1.type = netcat\na1.sources.r1.channels = c1",
		"a\\\n=\\u00e9\\uD83D\\uDE00", "#line 7 \"f\"\r\na b\r!c\f", "\\", "a=\\u", "\xe9=\xff",
		"a1.sinkgroups = g1, g1 #\na1.sinkgroups.g1.sinks=k1 k2\na1.sinks=k1 k2\na1.sinks.k1.channel=c1 c2",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		props, err := flumeconf.Parse("f", bytes.NewReader(data))
		if err != nil {
			if len(fault.Lines(err)) < 2 {
				t.Errorf("%v does not say where", err)
			}
			return
		}
		for _, p := range props {
			if p.Key != strings.TrimFunc(p.Key, isBlank) || p.Value != strings.TrimFunc(p.Value, isBlank) {
				t.Errorf("%q is not trimmed", p)
			}
		}
		var b bytes.Buffer
		if err := flumeconf.Format(&b, props); err != nil {
			t.Fatal(err)
		}
		again, err := flumeconf.Parse("f", &b)
		if err != nil || !slices.Equal(again, props) {
			t.Errorf("got %q, %v; want %q", again, err, props)
		}
		file := flumeconf.Merge(props)
		for _, p := range file.Check() {
			if lines := fault.Lines(p.Err); len(lines) < 3 {
				t.Errorf("%q lacks a place or a hint", lines)
			}
		}
		for _, name := range file.Agents() {
			if _, err := file.Agent(name); err != nil {
				t.Error(err)
			}
		}
	})
}

func isBlank(r rune) bool { return r <= ' ' }
