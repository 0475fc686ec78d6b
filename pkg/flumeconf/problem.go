package flumeconf

import (
	"cmp"
	"errors"
	"slices"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Severity is how bad a Problem is.
type Severity string

const (
	// Error is what makes Flume drop a component, a connection between two,
	// or the agent.
	//
	// Flume: what remains is started, and a warning logged; here an agent
	// with an error does not start, because one that silently lacks a sink
	// loses the data that the sink was for.
	Error Severity = "error"

	// Warning is what Flume ignores, or what works but is hardly meant.
	Warning Severity = "warning"
)

// Problem is one mistake in a configuration.
type Problem struct {
	Severity Severity
	Agent    string   // "" if it is not an agent's
	Pos      Position // of the line to mend
	Key      string   // the property to mend, by its full name

	// Err says what is wrong, where (Pos and Key) and how to mend it, in the
	// form of package fault; its status is fault.Config.
	Err error
}

// Errors joins those problems that are errors. It returns nil if none is.
func Errors(problems []Problem) error {
	var errs []error
	for _, p := range problems {
		if p.Severity == Error {
			errs = append(errs, p.Err)
		}
	}
	return errors.Join(errs...)
}

// newProblem makes the Problem of the property key at pos. Its hint is a
// format with args, as in fault.Hint.
func newProblem(severity Severity, agent string, pos Position, key string, err error, hint string, args ...any) Problem {
	err = fault.Hint(configError(err, pos.String()+": "+key), hint, args...)
	return Problem{Severity: severity, Agent: agent, Pos: pos, Key: key, Err: err}
}

// sortProblems puts problems in the order of the files and their lines.
func (f *File) sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			slices.Index(f.names, a.Pos.File)-slices.Index(f.names, b.Pos.File),
			a.Pos.Line-b.Pos.Line)
	})
}
