package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// account is what became of one writer's events.
type account struct {
	notes
	lives     []int32 // by number: the writer's life in which the event was put that came last, plus one; 0: none came
	delivered int
	again     int // came again, put once more by its writer
	back      int // came again, handed out once more by its channel
	last      int // the highest number that has come
	disorder  int // came for the first time after a later one
}

func (a *account) receive(life, n int) {
	for len(a.lives) <= n {
		a.lives = append(a.lives, make([]int32, n+1)...)
	}
	switch now := int32(life + 1); a.lives[n] {
	case 0:
		a.delivered++
		if n < a.last {
			a.disorder++
		}
		a.last = max(a.last, n)
		a.lives[n] = now
	case now:
		a.back++
	default:
		a.again++
		a.lives[n] = now
	}
}

// missing calls each for the events that were acknowledged, but never came.
func (a *account) missing(each func(n int)) {
	for n := 1; n <= a.acked; n++ {
		if n >= len(a.lives) || a.lives[n] == 0 {
			each(n)
		}
	}
}

// book is the account of each writer.
type book struct {
	writers map[string]*account
	order   []string // in which they are shown
	damaged []string // events that came out other than they went in
	cut     int      // lines of which their sender was killed before it had sent all
}

// account reads the notes of writers and readers.
func (t *torture) account() (*book, error) {
	b := &book{writers: make(map[string]*account)}
	names, err := filepath.Glob(t.in("notes", "*"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		name = filepath.Base(name)
		n, err := readNotes(t.dir, name)
		if err != nil {
			return nil, err
		}
		b.writers[name] = &account{notes: n}
		b.order = append(b.order, name)
	}
	readers, err := filepath.Glob(t.in("received", "*"))
	if err != nil {
		return nil, err
	}
	for _, reader := range readers { // the rest of a channel after what its readers had: -rest sorts after -r1
		err := readReceived(reader, func(o origin, last int) {
			a := b.writers[o.writer]
			for n := o.n; a != nil && n <= last; n++ {
				a.receive(o.life, n)
			}
			if a == nil {
				b.damaged = append(b.damaged, fmt.Sprintf("there is no writer %q", o.writer))
			}
		}, func(what string) { b.damaged = append(b.damaged, what) })
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// readReceived reads what a reader noted: runs of events, and damaged ones.
func readReceived(path string, run func(first origin, last int), damaged func(what string)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) { // what a kill tore was not committed
			return nil
		}
		if err != nil {
			return err
		}
		if what, ok := strings.CutPrefix(line, "damaged "); ok {
			damaged(strings.TrimSpace(what))
			continue
		}
		var o origin
		var last int
		if _, err := fmt.Sscan(line, &o.writer, &o.life, &o.n, &last); err != nil {
			return fmt.Errorf("%s: %q: %w", path, line, err)
		}
		run(o, last)
	}
}

// single reports whether the writer's channel has one reader.
func single(writer string) bool { return !strings.HasPrefix(writer, "s") }

// print prints the book, and returns an error if anything is wrong.
func (b *book) print(out io.Writer, t *torture, took time.Duration) error {
	var page strings.Builder
	fmt.Fprintf(&page, "%-8s %10s %12s %10s %10s %10s %6s %12s\n", "writer", "put", "acknowledged", "delivered", "put again", "came again", "lost", "out of order")
	var sum account
	lost := 0
	for _, name := range b.order {
		a := b.writers[name]
		missing, first := 0, 0
		a.missing(func(n int) {
			if missing++; missing == 1 {
				first = n
			}
		})
		if missing > 0 {
			t.problems = append(t.problems, fmt.Sprintf("%d events of %s are lost, the first of them %d", missing, name, first))
		}
		disorder := "-"
		if single(name) {
			disorder = fmt.Sprint(a.disorder)
			sum.disorder += a.disorder
			if a.disorder > 0 {
				t.problems = append(t.problems, fmt.Sprintf("%d events of %s came out of order", a.disorder, name))
			}
		}
		fmt.Fprintf(&page, "%-8s %10d %12d %10d %10d %10d %6d %12s\n", name, a.sent, a.acked, a.delivered, a.again, a.back, missing, disorder)
		sum.sent, sum.acked = sum.sent+a.sent, sum.acked+a.acked
		sum.delivered, sum.again, sum.back = sum.delivered+a.delivered, sum.again+a.again, sum.back+a.back
		lost += missing
	}
	fmt.Fprintf(&page, "%-8s %10d %12d %10d %10d %10d %6d %12d\n\n", "all", sum.sent, sum.acked, sum.delivered, sum.again, sum.back, lost, sum.disorder)
	takeovers, err := t.takeovers()
	if err != nil {
		return err
	}
	restarts := 0
	for _, l := range t.lines {
		restarts += l.lives - 1
		t.problems = append(t.problems, l.problems...)
	}
	for _, what := range b.damaged {
		t.problems = append(t.problems, "an event came out other than it went in: "+what)
	}
	fmt.Fprintf(&page, "put again: by writers, after doubt whether it was acknowledged; came again: by channels, after a reader or a channel was killed\n")
	if b.cut > 0 {
		fmt.Fprintf(&page, "%d lines were not sent whole when their sender was killed, and not acknowledged\n", b.cut)
	}
	fmt.Fprintf(&page, "%d kills, %d restarts, %d take-overs in %.0f s, %.0f events/s; seed %d\n",
		t.kills, restarts, takeovers, took.Seconds(), float64(sum.delivered)/took.Seconds(), t.seed)
	return t.conclude(out, page.String())
}

// conclude prints the page and the problems.
func (t *torture) conclude(out io.Writer, page string) error {
	for _, problem := range t.problems {
		page += "PROBLEM: " + problem + "\n"
	}
	if _, err := io.WriteString(out, page); err != nil {
		return err
	}
	if len(t.problems) > 0 {
		return fmt.Errorf("%d problems", len(t.problems))
	}
	return nil
}

// takeovers counts how often a process had a directory that it found another to
// have, from what they said.
func (t *torture) takeovers() (count int, err error) {
	logs, err := filepath.Glob(t.in("log", "*"))
	if err != nil {
		return 0, err
	}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		waiting := false
		for line := range bytes.Lines(text) {
			switch {
			case bytes.HasPrefix(line, []byte(begun)):
				waiting = false
			case bytes.Contains(line, []byte("another process has it")):
				waiting = true
			case waiting && bytes.Contains(line, []byte(`"message":"channel file `)):
				waiting = false
				count++
			}
		}
	}
	return count, nil
}
