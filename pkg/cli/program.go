package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Program is what the help of a command says of it.
type Program struct {
	// Name is the command's: "fsrc".
	Name string
	// Kind is what its types are: "source". Programs with subcommands have none.
	Kind string
	// Summary is a sentence or two that say what it is for.
	Summary string
	// Usage are lines of usage that stand after the usual ones.
	Usage []string
	// Commands are what may stand in place of a type; the program reads them
	// by ParseCommands. Programs without types have none here.
	Commands []Example
	// Examples are three to five lines that show it at work.
	Examples []Example
	// More says where to read on; it ends the help.
	More string
}

// Example is a command line and what it does, in a few words.
type Example struct {
	Command, Effect string
}

// Group is options that every component of a program has, with their heading
// in the manual.
type Group struct {
	Title   string
	Options any // a pointer to a tagged struct
	// Command says that the options are the process's and not the
	// component's: a properties file cannot set them.
	Command bool
}

// Answer is what somebody asked for in place of a run: a page of help, the
// version. Parse and ParseCommands return it as their error, and Main prints
// it to standard output and ends with status 0.
type Answer string

// Error returns the text of the answer.
func (a Answer) Error() string { return string(a) }

// asksForHelp says whether one of args does.
func asksForHelp(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--help", "-h":
			return true
		case "--":
			return false
		}
	}
	return false
}

// usage returns the error of a wrong command line.
func usage(text, hint string, args ...any) error {
	return fault.WithStatus(fault.Hint(errors.New(text), hint, args...), fault.Usage)
}

// misspelt returns the error of a flag that none of all is. Lists is where all
// of them can be read.
func misspelt(flag string, all []*properties, lists string) error {
	err := fmt.Errorf("unknown flag %s", flag)
	if near := closest(all, strings.TrimLeft(flag, "-")); near != "" {
		err = fault.Hint(err, "did you mean --%s?", near)
	} else {
		err = fault.Hint(err, "%s lists the flags", lists)
	}
	return fault.WithStatus(err, fault.Usage)
}
