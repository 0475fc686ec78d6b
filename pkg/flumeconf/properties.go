package flumeconf

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Property is one key with its value, both without escapes and without the
// white space around them, and the place where it stands.
type Property struct {
	Key, Value string
	Pos        Position
}

// Parse reads the properties of one file, written in the grammar of Java's
// .properties files, in the order of the file. A key that is there twice is
// returned twice. The name file is what positions call it.
//
// A comment of the form
//
//	#line 7 "flume.conf"
//
// says, as in C, that the line after it stands in that file on that line.
//
// The error names each malformed line, not the first alone; no properties are
// returned with it.
func Parse(file string, r io.Reader) ([]Property, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	text, err := decode(data)
	if err != nil {
		return nil, configError(err, file)
	}
	var props []Property
	var malformed []error
	lines := &lineScanner{text: text, pos: Position{File: file, Line: 1}}
	for {
		line, pos, ok := lines.next()
		if !ok {
			break
		}
		rawKey, rawValue := split(line)
		key, keyErr := unescape(rawKey)
		value, valueErr := unescape(rawValue)
		if err := cmp.Or(keyErr, valueErr); err != nil {
			malformed = append(malformed, configError(err, pos.String()))
			continue
		}
		props = append(props, Property{Key: trim(key), Value: trim(value), Pos: pos})
	}
	if malformed != nil {
		return nil, errors.Join(malformed...)
	}
	return props, nil
}

func configError(err error, where string) error {
	return fault.WithStatus(fault.At(err, where), fault.Config)
}

// decode returns the text of a properties file.
func decode(data []byte) (string, error) {
	text := string(data)
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return "", fault.Hint(errors.New("the file is in UTF-16"), "save it as UTF-8")
	}
	// Flume: a file is ISO-8859-1, so that é written in UTF-8 becomes two
	// letters; here a file that is valid UTF-8 is taken as such, because
	// that is what editors write.
	if utf8.ValidString(text) {
		// Flume: a byte order mark becomes part of the first key; here it
		// is skipped, because nobody means that.
		return strings.TrimPrefix(text, "\ufeff"), nil
	}
	latin1 := make([]rune, len(data))
	for i, b := range data {
		latin1[i] = rune(b)
	}
	return string(latin1), nil
}

// blanks is what Java's grammar skips around keys and before values.
const blanks = " \t\f"

// lineScanner takes a text apart into logical lines.
type lineScanner struct {
	text string   // what is left
	pos  Position // of the first line of text
}

// next returns the next logical line, without the blanks before it, and where
// it begins. Comments and blank lines are passed over.
func (s *lineScanner) next() (line string, at Position, ok bool) {
	for s.text != "" {
		at = s.pos
		line := s.natural()
		if line == "" || line == `\` {
			continue
		}
		if line[0] == '#' || line[0] == '!' {
			s.obey(line)
			continue
		}
		var logical strings.Builder
		for continued(line) {
			logical.WriteString(line[:len(line)-1])
			line = s.natural()
		}
		logical.WriteString(line)
		return logical.String(), at, true
	}
	return "", s.pos, false
}

// natural takes one line as the file has it, without the blanks before it and
// its end. At the end of the text it returns "".
func (s *lineScanner) natural() string {
	line, end := s.text, len(s.text)
	if i := strings.IndexAny(s.text, "\r\n"); i >= 0 {
		line, end = s.text[:i], i+1
		if strings.HasPrefix(s.text[i:], "\r\n") {
			end++
		}
	}
	s.text = s.text[end:]
	s.pos.Line++
	return strings.TrimLeft(line, blanks)
}

// continued says whether line ends in an odd number of backslashes.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// obey moves the position to where a #line comment says that the next line is.
func (s *lineScanner) obey(comment string) {
	directive, ok := strings.CutPrefix(comment, "#line ")
	if !ok {
		return
	}
	digits, quoted, _ := strings.Cut(directive, " ")
	line, err := strconv.ParseUint(digits, 10, strconv.IntSize-1)
	if err != nil || !strings.HasPrefix(quoted, `"`) {
		return
	}
	file, err := strconv.Unquote(strings.TrimRight(quoted, blanks))
	if err != nil {
		return
	}
	s.pos = Position{File: file, Line: int(line)}
}

// split divides a logical line at the first "=", ":" or blank that no
// backslash stands before.
func split(line string) (key, value string) {
	end, escaped := len(line), false
	for i := range len(line) {
		if !escaped && strings.IndexByte("=:"+blanks, line[i]) >= 0 {
			end = i
			break
		}
		escaped = line[i] == '\\' && !escaped
	}
	key, value = line[:end], strings.TrimLeft(line[end:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return key, value
}

// unescape replaces each backslash and what it stands before by the character
// that they mean.
func unescape(raw string) (string, error) {
	var text strings.Builder
	for {
		plain, rest, found := strings.Cut(raw, `\`)
		text.WriteString(plain)
		if !found || rest == "" {
			return text.String(), nil
		}
		switch rest[0] {
		case 't':
			text.WriteByte('\t')
		case 'n':
			text.WriteByte('\n')
		case 'r':
			text.WriteByte('\r')
		case 'f':
			text.WriteByte('\f')
		case 'u':
			escapes := raw[len(plain):]
			r, size, err := unescapeUnicode(escapes)
			if err != nil {
				return "", err
			}
			text.WriteRune(r)
			raw = escapes[size:]
			continue
		default:
			text.WriteByte(rest[0])
		}
		raw = rest[1:]
	}
}

// unescapeUnicode reads the character that raw begins with: one \uXXXX, or two
// that are a surrogate pair. It returns how many bytes it has read.
func unescapeUnicode(raw string) (r rune, size int, err error) {
	first, err := codeUnit(raw)
	if err != nil || !utf16.IsSurrogate(first) {
		return first, len(`\uXXXX`), err
	}
	second, err := codeUnit(raw[len(`\uXXXX`):])
	if r = utf16.DecodeRune(first, second); err != nil || r == utf8.RuneError {
		// Flume: half a pair is kept, to become a question mark on its way
		// out; here it is an error, because it is no character.
		return 0, 0, fault.Hint(fmt.Errorf("%q is half of a surrogate pair", raw[:len(`\uXXXX`)]),
			"write the other half after it, or the character itself in UTF-8")
	}
	return r, 2 * len(`\uXXXX`), nil
}

// codeUnit reads the four digits of the \uXXXX that raw begins with.
func codeUnit(raw string) (rune, error) {
	escape := raw[:min(len(raw), len(`\uXXXX`))]
	if digits, ok := strings.CutPrefix(escape, `\u`); ok && len(digits) == 4 {
		if unit, err := strconv.ParseUint(digits, 16, 16); err == nil {
			return rune(unit), nil
		}
	}
	return 0, fault.Hint(fmt.Errorf("the escape %s is malformed", strings.ToValidUTF8(escape, "")),
		`write four hexadecimal digits after \u; a backslash itself is \\`)
}

// trim cuts what Java's String.trim cuts: blanks and control characters.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// Format writes props so that Parse returns them again, each where it stood:
// every property on one line after a #line comment. Keys and values must be as
// Parse returns them: valid UTF-8 with no white space around them. The text is
// ASCII, which Java reads alike.
func Format(w io.Writer, props []Property) error {
	b := bufio.NewWriter(w)
	for _, p := range props {
		if !utf8.ValidString(p.Key) || !utf8.ValidString(p.Value) {
			return fault.At(fmt.Errorf("formatting %q: not valid UTF-8", p.Key), p.Pos.String())
		}
		fmt.Fprintf(b, "#line %d %s\n", p.Pos.Line, strconv.QuoteToASCII(p.Pos.File))
		escape(b, p.Key, "=:#! ")
		b.WriteByte('=')
		escape(b, p.Value, "")
		b.WriteByte('\n')
	}
	return b.Flush()
}

// escape writes text with a backslash before each character of special, and
// before whatever could not stand on a line.
func escape(b *bufio.Writer, text, special string) {
	for _, r := range text {
		switch {
		case r == '\\' || strings.ContainsRune(special, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case ' ' <= r && r <= '~':
			b.WriteRune(r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(b, `\u%04X`, unit)
			}
		}
	}
}
