package flumeconf

import "fmt"

// Position is where a property stands: a file and a line in it, counted from
// 1. A property that is continued over several lines stands on the first.
type Position struct {
	File string
	Line int
}

// String returns p as "flume.conf:7", the form that editors can follow.
func (p Position) String() string {
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}
