package option

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Charset is a character set. The zero Charset is UTF-8.
type Charset struct {
	name string // "" is UTF-8
	enc  encoding.Encoding
}

// utf32s are the character sets that Java has and ianaindex has not.
var utf32s = map[string]encoding.Encoding{
	"UTF-32":   utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	"UTF-32BE": utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM),
	"UTF-32LE": utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM),
}

// UnmarshalText reads the name of a character set as IANA or Java has it, in
// any letter case: UTF-8, UTF8, ISO-8859-1, latin1, Cp1252.
func (c *Charset) UnmarshalText(text []byte) error {
	for _, name := range spellings(string(text)) {
		if enc, ok := utf32s[name]; ok {
			*c = Charset{name: name, enc: enc}
			return nil
		}
		enc, err := ianaindex.IANA.Encoding(name)
		if err != nil || enc == nil {
			continue
		}
		*c = Charset{}
		if enc != unicode.UTF8 {
			c.enc = enc
			if c.name, err = ianaindex.MIME.Name(enc); err != nil {
				c.name = name
			}
		}
		return nil
	}
	return fault.Hint(fmt.Errorf("%q is not a known character set", text),
		"write an IANA name such as UTF-8, ISO-8859-1 or windows-1252")
}

// spellings returns the names under which IANA may know what Java calls name:
// UTF8 is UTF-8, ISO8859_1 is ISO-8859-1, Cp1252 is windows-1252, Cp850 IBM850.
func spellings(name string) []string {
	upper := strings.ToUpper(name)
	dashed := strings.ReplaceAll(upper, "_", "-")
	names := []string{upper, dashed}
	if number, ok := strings.CutPrefix(dashed, "CP"); ok {
		names = append(names, "WINDOWS-"+number, "IBM"+number)
	}
	if upper == "ASCII" {
		names = append(names, "US-ASCII")
	}
	for _, family := range []string{"UTF", "ISO"} {
		if number, ok := strings.CutPrefix(dashed, family); ok {
			names = append(names, family+"-"+number)
		}
	}
	return names
}

// Encoding returns the encoding that decodes from c and encodes to it.
func (c Charset) Encoding() encoding.Encoding {
	if c.enc == nil {
		return unicode.UTF8
	}
	return c.enc
}

// UTF8 says whether c is UTF-8, so that text need not be converted.
func (c Charset) UTF8() bool { return c.enc == nil }

// String returns c's name.
func (c Charset) String() string {
	if c.enc == nil {
		return "UTF-8"
	}
	return c.name
}
