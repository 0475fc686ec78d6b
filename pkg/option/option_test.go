package option_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// parse reads text into a fresh value of T's type.
func parse[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](text string) (fmt.Stringer, error) {
	p := P(new(T))
	err := p.UnmarshalText([]byte(text))
	return any(*p).(fmt.Stringer), err
}

var (
	parseInt     = parse[option.Int]
	parseInt64   = parse[option.Int64]
	parseBool    = parse[option.Bool]
	parseSeconds = parse[option.Seconds]
	parseMillis  = parse[option.Millis]
	parseBytes   = parse[option.Bytes]
	parseCharset = parse[option.Charset]
)

func TestUnmarshalText(t *testing.T) {
	for _, tt := range []struct {
		parse func(string) (fmt.Stringer, error)
		text  string
		want  string
	}{
		{parseInt, "0", "0"},
		{parseInt, "010", "10"},
		{parseInt, "-5", "-5"},
		{parseInt, "+5", "5"},
		{parseInt, "2147483647", "2147483647"},
		{parseInt64, "9223372036854775807", "9223372036854775807"},
		{parseInt64, "08", "8"},
		{parseBool, "true", "true"},
		{parseBool, "TRUE", "true"},
		{parseBool, "False", "false"},
		{parseSeconds, "30", "30s"},
		{parseSeconds, "0", "0s"},
		{parseSeconds, "-1", "-1s"},
		{parseSeconds, "30s", "30s"},
		{parseSeconds, "5m", "5m0s"},
		{parseSeconds, "1h30m", "1h30m0s"},
		{parseSeconds, "9223372036854775807", "2562047h47m16.854775807s"},
		{parseSeconds, "99999999999999999999", "2562047h47m16.854775807s"},
		{parseMillis, "3000", "3s"},
		{parseMillis, "250ms", "250ms"},
		{parseMillis, "2s", "2s"},
		{parseBytes, "0", "0"},
		{parseBytes, "1000", "1000"},
		{parseBytes, "65536", "64KiB"},
		{parseBytes, "64k", "64KiB"},
		{parseBytes, "64 KiB", "64KiB"},
		{parseBytes, "1MB", "1000000"},
		{parseBytes, "2M", "2MiB"},
		{parseBytes, "10b", "10"},
		{parseBytes, "-1", "-1"},
		{parseCharset, "utf-8", "UTF-8"},
		{parseCharset, "UTF8", "UTF-8"},
		{parseCharset, "UTF_8", "UTF-8"},
		{parseCharset, "US-ASCII", "US-ASCII"},
		{parseCharset, "ascii", "US-ASCII"},
		{parseCharset, "latin1", "ISO-8859-1"},
		{parseCharset, "ISO8859_1", "ISO-8859-1"},
		{parseCharset, "ISO-8859-15", "ISO-8859-15"},
		{parseCharset, "Cp1252", "windows-1252"},
		{parseCharset, "Cp850", "IBM850"},
		{parseCharset, "UTF-16", "UTF-16"},
		{parseCharset, "utf-16le", "UTF-16LE"},
		{parseCharset, "UTF-32", "UTF-32"},
		{parseCharset, "GB18030", "GB18030"},
		{parseCharset, "EUC_JP", "EUC-JP"},
	} {
		t.Run(fmt.Sprintf("%s %q", runtimeName(tt.parse), tt.text), func(t *testing.T) {
			got, err := tt.parse(tt.text)
			if err != nil || got.String() != tt.want {
				t.Fatalf("got %v, %v; want %s", got, err, tt.want)
			}
			if again, err := tt.parse(got.String()); err != nil || again != got {
				t.Errorf("reading %s again: got %v, %v", got, again, err)
			}
		})
	}
}

// runtimeName returns the name of the type that parse makes.
func runtimeName(parse func(string) (fmt.Stringer, error)) string {
	v, _ := parse("")
	return reflect.TypeOf(v).Name()
}

func TestUnmarshalTextRefuses(t *testing.T) {
	for _, tt := range []struct {
		parse func(string) (fmt.Stringer, error)
		text  string
		want  string
	}{
		{parseInt, "", `error: "" is not a whole number|hint: write decimal digits alone, such as 1000`},
		{parseInt, "0x10", `error: "0x10" is not a whole number|hint: write decimal digits alone, such as 1000`},
		{parseInt, "1_000", `error: "1_000" is not a whole number|hint: write decimal digits alone, such as 1000`},
		{parseInt, "2147483648", `error: "2147483648" is out of range|hint: write a number from -2147483648 to 2147483647`},
		{parseInt64, "9223372036854775808", `error: "9223372036854775808" is out of range|hint: write a number from -9223372036854775808 to 9223372036854775807`},
		{parseBool, "yes", `error: "yes" is neither true nor false|hint: write true or false`},
		{parseBool, "", `error: "" is neither true nor false|hint: write true or false`},
		{parseSeconds, "five", `error: "five" is not a number of seconds|hint: write 30, 30s or 5m`},
		{parseSeconds, "1.5", `error: "1.5" is not a number of seconds|hint: write 30, 30s or 5m`},
		{parseMillis, "1 s", `error: "1 s" is not a number of milliseconds|hint: write 3000, 3s or 5m`},
		{parseBytes, "many", `error: "many" is not a number of bytes|hint: write 1048576 or 1MiB`},
		{parseBytes, "MiB", `error: "MiB" is not a number of bytes|hint: write 1048576 or 1MiB`},
		{parseBytes, "9999999T", `error: "9999999T" is out of range|hint: write at most 9223372036854775807 bytes`},
		{parseCharset, "klingon", `error: "klingon" is not a known character set|hint: write an IANA name such as UTF-8, ISO-8859-1 or windows-1252`},
		{parseCharset, "", `error: "" is not a known character set|hint: write an IANA name such as UTF-8, ISO-8859-1 or windows-1252`},
	} {
		_, err := tt.parse(tt.text)
		if got := strings.Join(fault.Lines(err), "|"); got != tt.want {
			t.Errorf("%s %q: got %s; want %s", runtimeName(tt.parse), tt.text, got, tt.want)
		}
	}
}

func TestCharsetConverts(t *testing.T) {
	var zero, latin1 option.Charset
	if err := latin1.UnmarshalText([]byte("ISO-8859-1")); err != nil {
		t.Fatal(err)
	}
	if got, err := latin1.Encoding().NewDecoder().String("caf\xe9"); err != nil || got != "café" {
		t.Errorf("latin1: got %q, %v; want café", got, err)
	}
	if got, err := zero.Encoding().NewDecoder().String("café"); err != nil || got != "café" {
		t.Errorf("the zero charset: got %q, %v; want café", got, err)
	}
	if !zero.UTF8() || latin1.UTF8() {
		t.Errorf("UTF8: got %v for the zero charset and %v for latin1; want true, false", zero.UTF8(), latin1.UTF8())
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	var s option.Secret
	if err := s.UnmarshalText([]byte("swordfish")); err != nil || string(s) != "swordfish" {
		t.Fatalf("got %q, %v; want the text", string(s), err)
	}
	holder := struct{ Password option.Secret }{s}
	printed, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	all := string(printed) + fmt.Sprintf("%v %s %q %x %+v %#v %v %+v %#v", s, s, s, s, s, s, holder, holder, holder)
	if strings.Contains(all, "swordfish") || strings.Contains(all, fmt.Sprintf("%x", "swordfish")) {
		t.Errorf("the secret stands in %s", all)
	}
	if !strings.Contains(all, "[secret]") {
		t.Errorf("got %s; want [secret] in it", all)
	}
	if got := option.Secret("").String(); got != "" {
		t.Errorf("no secret: got %q; want none", got)
	}
}
