// Package fault gives an error what a person needs besides its text: where the
// fault lies, how to mend it, and the exit status it ends a command with.
//
// An error that reaches a person answers what, where, why and how to mend it:
//
//	fsink: error: --sink.rollInterval: "five" is not a number of seconds
//	fsink: at: flume.conf:7: a1.sinks.k1.sink.rollInterval
//	fsink: hint: write 30, 30s or 5m; 0 turns rolling by time off
//
// The text and the why are the error itself and its %w chain; At and Hint add
// the other lines, WithStatus the exit status. All of them keep the error
// underneath for errors.Is and errors.As. Lines takes it all apart again.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Exit statuses of the four commands. They follow sysexits.h where it has one.
const (
	Delivered = 0  // all was delivered
	Failed    = 1  // it failed
	Usage     = 2  // the command line is wrong
	SetAside  = 3  // delivered, but some events were set aside
	TryAgain  = 75 // not delivered, but safe where it was: run it again (EX_TEMPFAIL)
	Config    = 78 // the configuration is wrong (EX_CONFIG)
)

// detail is one layer around an error. Exactly one of where, hint and status is set.
type detail struct {
	err    error
	where  string
	hint   string
	status int
}

func (d *detail) Error() string { return d.err.Error() }
func (d *detail) Unwrap() error { return d.err }

// At adds the place where err lies: a file and line, a property's full name.
// It returns nil for a nil err.
func At(err error, where string) error {
	if err == nil {
		return nil
	}
	return &detail{err: err, where: where}
}

// Hint adds a way to mend err. It returns nil for a nil err.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &detail{err: err, hint: fmt.Sprintf(format, args...)}
}

// WithStatus sets the status that a command ended by err exits with. It
// returns nil for a nil err. The outermost status counts.
func WithStatus(err error, status int) error {
	if err == nil {
		return nil
	}
	return &detail{err: err, status: status}
}

// Status returns the exit status for err: Delivered for nil, else the one that
// WithStatus gave it, else Failed. Of several joined errors the first that has
// a status decides.
func Status(err error) int {
	if err == nil {
		return Delivered
	}
	if s := status(err); s != 0 {
		return s
	}
	return Failed
}

func status(err error) int {
	for err != nil {
		if d, ok := err.(*detail); ok && d.status != 0 {
			return d.status
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				if s := status(e); s != 0 {
					return s
				}
			}
			return 0
		}
		err = errors.Unwrap(err)
	}
	return 0
}

// Lines returns err as the lines that a command prints, without the command's
// name before them: "error: …", then "at: …" and "hint: …" as it has them.
// Joined errors (errors.Join) follow one another, each with its own lines.
func Lines(err error) []string {
	if err == nil {
		return nil
	}
	var outer []*detail
	for e := err; e != nil; e = errors.Unwrap(e) {
		if d, ok := e.(*detail); ok {
			outer = append(outer, d)
			continue
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok && len(outer) == len(chain(err, e)) {
			var lines []string
			for _, one := range joined.Unwrap() {
				lines = append(lines, Lines(one)...)
			}
			return append(lines, details(outer)...)
		}
	}
	return append([]string{"error: " + err.Error()}, details(outer)...)
}

// chain returns the errors above inner in err's chain.
func chain(err, inner error) []error {
	var above []error
	for e := err; e != nil && e != inner; e = errors.Unwrap(e) {
		above = append(above, e)
	}
	return above
}

// details returns the place first, then the hints, innermost first: what lies
// nearest the fault is the most exact.
func details(layers []*detail) []string {
	var at, hints []string
	for i := len(layers) - 1; i >= 0; i-- {
		if layers[i].where != "" {
			at = append(at, "at: "+layers[i].where)
		}
		if layers[i].hint != "" {
			hints = append(hints, "hint: "+layers[i].hint)
		}
	}
	return append(at, hints...)
}

// Hints returns how to mend err, for a log that has its text already.
func Hints(err error) []string {
	var hints []string
	for _, line := range Lines(err) {
		if hint, ok := strings.CutPrefix(line, "hint: "); ok {
			hints = append(hints, hint)
		}
	}
	return hints
}

// Closest returns the name most like word, or "" when none is near enough to
// be what was meant. It serves "did you mean".
func Closest(word string, names []string) string {
	best, bestAt := "", len(word)/3+2
	for _, name := range names {
		if at := distance(word, name); at < bestAt {
			best, bestAt = name, at
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between a and b (optimal string alignment), letter case aside.
func distance(a, b string) int {
	fold := func(c byte) byte {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if fold(a[i-1]) == fold(b[j-1]) {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && fold(a[i-1]) == fold(b[j-2]) && fold(a[i-2]) == fold(b[j-1]) {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
