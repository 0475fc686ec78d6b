package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// build builds the commands and the torturer and returns their directory.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/",
		"./cmd/fsrc", "./cmd/fchan", "./cmd/fsink", "./cmd/fctl", "./scripts/torturer")
	cmd.Dir = "../.."
	if log, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the commands: %v\n%s", err, log)
	}
	return bin
}

func TestTorture(t *testing.T) {
	bin := build(t)
	for _, test := range []struct {
		name string
		args []string
	}{
		{"killed", []string{"--for", "20s"}},
		{"damaged", []string{"--for", "10s", "--damage"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			err := run(t.Context(), append(test.args, "--bin", bin, "--dir", filepath.Join(t.TempDir(), "run")), &out)
			t.Log(out.String())
			if err != nil {
				t.Error(err)
			}
			if strings.Contains(out.String(), " 0 kills") {
				t.Error("nothing was killed")
			}
		})
	}
}

// bookOf returns the book of one writer, from what it and a reader noted.
func bookOf(t *testing.T, writer, notes, received string) (string, error) {
	t.Helper()
	run := &torture{settings: settings{dir: filepath.Join(t.TempDir(), "run")}}
	if err := run.prepare(); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{run.in("notes", writer): notes, run.in("received", "r1"): received} {
		file, err := appendTo(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	b, err := run.account()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = b.print(&out, run, time.Second)
	return out.String(), err
}

func TestLedger(t *testing.T) {
	const noted = "sent 10\nacked 5\nsent 20\nacked 10\n"
	for _, test := range []struct {
		name, received string
		row            string // put, acknowledged, delivered, put again, came again, lost, out of order
		problem        string
	}{
		{"all", "o1 1 1 10\n", "o1 20 10 10 0 0 0 0", ""},
		{"more than was acknowledged", "o1 1 1 15\n", "o1 20 10 15 0 0 0 0", ""},
		{"put again", "o1 1 1 6\no1 2 5 10\n", "o1 20 10 10 2 0 0 0", ""},
		{"came again", "o1 1 1 6\no1 1 5 10\n", "o1 20 10 10 0 2 0 0", ""},
		{"lost", "o1 1 1 6\no1 1 9 10\n", "o1 20 10 8 0 0 2 0", "2 events of o1 are lost, the first of them 7"},
		{"out of order", "o1 1 1 4\no1 1 7 10\no1 1 5 6\n", "o1 20 10 10 0 0 0 2", "2 events of o1 came out of order"},
		{"torn note", "o1 1 1 10\no1 1 5", "o1 20 10 10 0 0 0 0", ""},
		{"damaged", "o1 1 1 10\ndamaged \"its checksum is wrong\"\n", "o1 20 10 10 0 0 0 0", "its checksum is wrong"},
		{"not put", "o1 1 1 10\no9 1 1 1\n", "o1 20 10 10 0 0 0 0", `there is no writer "o9"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			page, err := bookOf(t, "o1", noted, test.received)
			row := strings.Join(strings.Fields(strings.Split(page, "\n")[1]), " ")
			if row != test.row {
				t.Errorf("got %s; want %s", row, test.row)
			}
			if (err != nil) != (test.problem != "") || !strings.Contains(page, test.problem) {
				t.Errorf("got %v; want problem %q in\n%s", err, test.problem, page)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	o, body := origin{"w1", 3, 17}, []byte("some \xff bytes")
	if got, err := ofEvent(o.event(body)); got != o || err != nil {
		t.Errorf("got %v, %v; want %v", got, err, o)
	}
	if got, err := ofLine(o.line(body)); got != o || err != nil {
		t.Errorf("got %v, %v; want %v", got, err, o)
	}
	line := o.line(body)
	line[len(line)-1] ^= 1
	if got, err := ofLine(line); err == nil {
		t.Errorf("got %v; want an error for a changed body", got)
	}
}

// TestCutNote has a kill cut what a writer notes.
func TestCutNote(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "notes"), 0o755); err != nil {
		t.Fatal(err)
	}
	for cut, want := range map[string]int{"": 7, "ack": 7, "acked ": 7, "acked 1": 7, "acked 12\n": 12} {
		if err := os.WriteFile(filepath.Join(dir, "notes", "w1"), []byte("sent 9\nacked 7\n"+cut), 0o644); err != nil {
			t.Fatal(err)
		}
		n, err := openNotes(dir, "w1")
		if err != nil {
			t.Fatal(err)
		}
		if n.acked != want {
			t.Errorf("%q: %d are acknowledged; want %d", cut, n.acked, want)
		}
		if err := n.note("acked", 20); err != nil {
			t.Fatal(err)
		}
		n.file.Close()
		if again, err := readNotes(dir, "w1"); err != nil || again.acked != 20 || again.sent != 9 {
			t.Errorf("%q: then got %d of %d, %v; want 20 of 9", cut, again.acked, again.sent, err)
		}
	}
}

func TestCutLine(t *testing.T) {
	r := &rolled{bodies: newBodies(1, true)}
	o := origin{"a1", 3000, 17}
	whole := o.line(r.bodies.body(o.writer, o.n))
	for n := 1; n < len(whole); n++ {
		if _, err := ofLine(whole[:n]); err != nil && !r.isCut(whole[:n]) {
			t.Errorf("%q was cut", whole[:n])
		}
	}
	whole[len(whole)-3] ^= 1
	if r.isCut(whole[:len(whole)-1]) {
		t.Error("a changed line passes for one that was cut")
	}
}
