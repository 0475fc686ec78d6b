package option

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Bool is true or false.
type Bool bool

// UnmarshalText reads true or false, in any letter case.
//
// Flume: whatever is not "true" is false, so that "yes" turns a thing off;
// here it is an error, because somebody who writes "yes" means true.
func (b *Bool) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "true":
		*b = true
	case "false":
		*b = false
	default:
		return fault.Hint(fmt.Errorf("%q is neither true nor false", text), "write true or false")
	}
	return nil
}

// String returns "true" or "false".
func (b Bool) String() string { return strconv.FormatBool(bool(b)) }
