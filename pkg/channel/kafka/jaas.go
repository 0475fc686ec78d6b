package kafka

import (
	"errors"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// login is one entry of a JAAS configuration.
type login struct {
	module  string
	options map[string]string
}

// parseJAAS reads the text of sasl.jaas.config:
//
//	some.LoginModule required name="value" other=value;
//
// Its errors do not quote the text, which has a password in it.
func parseJAAS(text string) (login, error) {
	const form = `write some.LoginModule required username="u" password="p";`
	words, err := jaasWords(text)
	switch {
	case err != nil:
		return login{}, fault.Hint(err, form)
	case len(words) < 3 || words[len(words)-1] != ";":
		return login{}, fault.Hint(errors.New("the text does not end with a semicolon"), form)
	}
	l := login{module: words[0], options: map[string]string{}}
	switch strings.ToLower(words[1]) {
	case "required", "requisite", "sufficient", "optional":
	default:
		return login{}, fault.Hint(errors.New("the login module is not followed by required"), form)
	}
	rest := words[2 : len(words)-1]
	for len(rest) > 0 {
		if len(rest) < 3 || rest[1] != "=" || rest[0] == ";" {
			return login{}, fault.Hint(errors.New("an option of the login module is not of the form name=value"), form)
		}
		l.options[rest[0]] = rest[2]
		rest = rest[3:]
	}
	return l, nil
}

// jaasWords splits text as Java's StreamTokenizer does for JAAS: words, texts in
// quotes with backslash escapes, and the marks = and ;.
func jaasWords(text string) (words []string, err error) {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c <= ' ':
			i++
		case c == '=' || c == ';':
			words = append(words, string(c))
			i++
		case c == '"' || c == '\'':
			word, length := unquote(text[i:])
			if length == 0 {
				return nil, errors.New("a quotation mark is not closed")
			}
			words = append(words, word)
			i += length
		default:
			end := i + strings.IndexAny(text[i:]+";", " \t\r\n=;\"'")
			words = append(words, text[i:end])
			i = end
		}
	}
	return words, nil
}

// unquote returns the text in the quotation marks that text begins with, and
// the length of it all; 0 if they are not closed.
func unquote(text string) (word string, length int) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case text[0]:
			return b.String(), i + 1
		case '\\':
			if i++; i < len(text) {
				b.WriteByte(unescape(text[i]))
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0
}

func unescape(c byte) byte {
	if i := strings.IndexByte("nrtbf", c); i >= 0 {
		return "\n\r\t\b\f"[i]
	}
	return c
}
