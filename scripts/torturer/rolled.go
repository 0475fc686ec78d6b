package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rolled is what a file_roll sink wrote: it notes as a reader does what is in the
// files, and removes them.
type rolled struct {
	dir    string
	to     string
	bodies *bodies
	cut    int // lines of which their sender was killed before it had sent all
}

// read reads the files that are finished, or all of them.
func (r *rolled) read(all bool) error {
	files, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b string) int {
		x, y := fileNumber(a), fileNumber(b)
		return slices.Compare(x[:], y[:])
	})
	if !all && len(files) > 0 {
		files = files[:len(files)-1]
	}
	for _, file := range files {
		if err := r.readFile(file); err != nil {
			return err
		}
	}
	return nil
}

// fileNumber returns the two numbers of a name like 1558000000000-1.
func fileNumber(path string) (numbers [2]int) {
	first, second, _ := strings.Cut(filepath.Base(path), "-")
	numbers[0], _ = strconv.Atoi(first)
	numbers[1], _ = strconv.Atoi(second)
	return numbers
}

// isCut reports whether a line is the beginning of one that a sender sends. When
// that is killed its connection ends, and a netcat source takes what has come; it
// was never acknowledged.
func (r *rolled) isCut(line []byte) bool {
	var o origin
	if n, _ := fmt.Sscan(string(line[:min(len(line), 60)]), &o.writer, &o.life, &o.n); n < 3 || bytes.Count(line, []byte(" ")) < 3 {
		return cutHead.Match(line)
	}
	return bytes.HasPrefix(o.line(r.bodies.body(o.writer, o.n)), line)
}

var cutHead = regexp.MustCompile(`^a[12]?( \d*){0,2}$`)

func (r *rolled) readFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var lines received
	for line := range bytes.Lines(text) {
		line, whole := bytes.CutSuffix(line, []byte("\n"))
		if !whole { // the sink was killed while it wrote it
			continue
		}
		o, err := ofLine(line)
		if err != nil && r.isCut(line) {
			r.cut++
			continue
		}
		lines.add(o, err)
	}
	to, err := appendTo(r.to)
	if err == nil {
		err = errors.Join(lines.write(to), to.Close(), os.Remove(path))
	}
	return err
}
