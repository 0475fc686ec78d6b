package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
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
// written before, and after.
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
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) { // what a kill cut was not done, or not heard of
			return n, nil
		}
		if err != nil {
			return n, err
		}
		what, text, _ := strings.Cut(strings.TrimSpace(line), " ")
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

// appendTo opens a file to go on with its lines. A kill can cut one, however short
// it is, where a page of the file ends; its beginning is taken away.
func appendTo(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	whole, err := file.Seek(0, io.SeekEnd)
	for c := []byte{0}; err == nil && whole > 0; whole-- {
		if _, err = file.ReadAt(c, whole-1); err == nil && c[0] == '\n' {
			break
		}
	}
	if err == nil {
		err = file.Truncate(whole)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
