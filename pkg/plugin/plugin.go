// Package plugin runs a plug-in: a program beside ours that is a source or a
// sink. The type mytype is the program fsrc-mytype or fsink-mytype on PATH.
//
// A plug-in is called as
//
//	fsrc-mytype [--properties /dev/fd/3] [TARGET]
//
// where the file, if there is one, has the properties as `fsrc TYPE
// --properties FILE` reads them; no property stands in a command line or in
// the environment. Events come from its standard output or go to its standard
// input, as package stream has them.
package plugin

import (
	"os/exec"
	"strings"
)

// Program is a plug-in that was found.
type Program struct {
	Name string // fsrc-mytype
	Path string // of the executable
}

// Find looks on PATH for the plug-in of a command, fsrc or fsink, that is the
// type typ. A type with a path separator is none, so that a type never leads to
// a file elsewhere.
func Find(command, typ string) (Program, bool) {
	if typ == "" || strings.ContainsAny(typ, `/\`) {
		return Program{}, false
	}
	name := command + "-" + typ
	path, err := exec.LookPath(name) // an error too for what lies in the current directory
	if err != nil {
		return Program{}, false
	}
	return Program{Name: name, Path: path}, true
}
