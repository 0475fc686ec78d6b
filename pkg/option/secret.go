package option

// Secret is text that must not be seen: a password, a key. It prints as
// "[secret]" in all of fmt's verbs for text and in JSON; string(s) is the text
// itself.
type Secret string

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// String returns "[secret]", or "" if there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString returns what String does, for %#v.
func (s Secret) GoString() string { return `option.Secret("` + s.String() + `")` }

// MarshalText returns what String does, for JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
