package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// life is one process of a writer or a reader, from its start until it is killed.
type life struct {
	name   string
	number int
	seed   uint64
	dir    string
	addr   string // of the netcat source
	finish bool   // ends when nothing that was handed over is in doubt
}

func parseLife(args []string) (life, error) {
	var l life
	flags := flag.NewFlagSet("torturer", flag.ContinueOnError)
	flags.StringVar(&l.name, "name", "", "")
	flags.IntVar(&l.number, "life", 0, "")
	flags.Uint64Var(&l.seed, "seed", 0, "")
	flags.StringVar(&l.dir, "dir", "", "")
	flags.StringVar(&l.addr, "addr", "", "")
	flags.BoolVar(&l.finish, "finish", false, "")
	return l, flags.Parse(args)
}

// notes are what a writer has handed over and what was acknowledged. They are
// written before, and after, in one write each, which a kill cannot tear.
type notes struct {
	file        *os.File
	sent, acked int // numbers of the last such events
}

// readNotes returns what a writer noted in its lives so far.
func readNotes(dir, writer string) (n notes, err error) {
	file, err := os.Open(filepath.Join(dir, "notes", writer))
	if os.IsNotExist(err) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		what, text, _ := strings.Cut(lines.Text(), " ")
		number, err := strconv.Atoi(text)
		if err != nil {
			return n, fmt.Errorf("%s: %w", file.Name(), err)
		}
		switch what {
		case "sent":
			n.sent = max(n.sent, number)
		case "acked":
			n.acked = max(n.acked, number)
		}
	}
	return n, lines.Err()
}

// openNotes opens a writer's notes to go on with them.
func openNotes(dir, writer string) (*notes, error) {
	n, err := readNotes(dir, writer)
	if err == nil {
		n.file, err = appendTo(filepath.Join(dir, "notes", writer))
	}
	return &n, err
}

func (n *notes) note(what string, number int) error {
	_, err := fmt.Fprintln(n.file, what, number)
	return err
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
}
