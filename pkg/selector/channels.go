package selector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// indices returns where the channels that a property names stand in the
// source's list, each once. An error names the property.
//
// Flume: names are separated by exactly one blank, and two make a channel
// without a name; here blanks may be as many as one likes.
func indices(property string, names, channels []string) ([]int, error) {
	var found []int
	for _, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		i := slices.Index(channels, name)
		if i < 0 {
			err := fmt.Errorf("selector.%s: %q is not a channel of this source", property, name)
			if near := fault.Closest(name, channels); near != "" {
				return nil, fault.Hint(err, "did you mean %s?", near)
			}
			return nil, fault.Hint(err, "its channels are %s", strings.Join(channels, " "))
		}
		if !slices.Contains(found, i) {
			found = append(found, i)
		}
	}
	return found, nil
}
