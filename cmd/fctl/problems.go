package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// problem is one mistake in a configuration.
type problem struct {
	severity flumeconf.Severity
	err      error // with its place and hints
	told     bool  // the component's process says so too, when it starts
}

// problems are all that is wrong with a configuration.
type problems []problem

// add adds errors that have one severity.
func (ps *problems) add(severity flumeconf.Severity, errs ...error) {
	for _, err := range errs {
		*ps = append(*ps, problem{severity: severity, err: err})
	}
}

// err joins the errors. It is nil if there are but warnings.
func (ps problems) err() error {
	var errs []error
	for _, p := range ps {
		if p.severity == flumeconf.Error {
			errs = append(errs, p.err)
		}
	}
	return fault.WithStatus(errors.Join(errs...), fault.Config)
}

func (ps problems) count(severity flumeconf.Severity) int {
	n := 0
	for _, p := range ps {
		if p.severity == severity {
			n++
		}
	}
	return n
}

// String counts the problems: "2 errors, 1 warning".
func (ps problems) String() string {
	count := func(severity flumeconf.Severity) string {
		n := ps.count(severity)
		if n == 1 {
			return fmt.Sprintf("1 %s", severity)
		}
		return fmt.Sprintf("%d %ss", n, severity)
	}
	return count(flumeconf.Error) + ", " + count(flumeconf.Warning)
}

// sort puts the problems in the order of the files and their lines.
func (ps problems) sort() {
	slices.SortStableFunc(ps, func(a, b problem) int {
		fileA, lineA := a.place()
		fileB, lineB := b.place()
		return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(lineA, lineB))
	})
}

// place is how an error's place begins.
var place = regexp.MustCompile(`^at: (.*?):(\d+)(?::|$)`)

func (p problem) place() (file string, line int) {
	for _, text := range fault.Lines(p.err) {
		if m := place.FindStringSubmatch(text); m != nil {
			line, _ = strconv.Atoi(m[2])
			return m[1], line
		}
	}
	return "", 0
}

// print writes the lines of p, each after the name of the program.
func (p problem) print(w io.Writer) {
	lines := fault.Lines(p.err)
	lines[0] = string(p.severity) + ": " + p.err.Error()
	for _, line := range lines {
		fmt.Fprintf(w, "fctl: %s\n", line)
	}
}

// log completes a log line about p.
func (p problem) log(line *zerolog.Event) {
	for _, text := range fault.Lines(p.err)[1:] {
		kind, text, _ := strings.Cut(text, ": ")
		line = line.Str(kind, text)
	}
	line.Msg(p.err.Error())
}
