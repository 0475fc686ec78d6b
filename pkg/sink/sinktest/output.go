package sinktest

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Output stands in for standard output. It is a file to begin with; a
// destination's Break and Stall put a full device or a pipe in its place.
type Output struct {
	File *os.File // what the sink writes to

	path string
	mu   sync.Mutex
	read strings.Builder // what came through pipes
}

// NewOutput returns an Output that lasts as long as t.
func NewOutput(t testing.TB) *Output {
	o := &Output{path: filepath.Join(t.TempDir(), "stdout")}
	f, err := os.OpenFile(o.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	o.File = f
	t.Cleanup(func() { f.Close() })
	return o
}

// Text returns all that was written.
func (o *Output) Text(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(o.path)
	if err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(text) + o.read.String()
}

// Destination returns the destination of a sink that writes lines to
// standard output; body finds an event's body in its line.
func (o *Output) Destination(body func(line string) string) Destination {
	return Destination{
		Bodies: func(t *testing.T) []string {
			var bodies []string
			for line := range strings.Lines(o.Text(t)) {
				bodies = append(bodies, body(strings.TrimSuffix(line, "\n")))
			}
			return bodies
		},
		Break: o.fill,
		Stall: o.stall,
	}
}

// fill puts a device that is always full in the file's place.
func (o *Output) fill(t *testing.T) (mend func()) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("this system has no full device: %v", err)
	}
	defer full.Close()
	return o.replace(t, full)
}

// stall puts a pipe that nobody reads in the file's place.
func (o *Output) stall(t *testing.T) (resume func()) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Fd() // from here on writes to it block, as those to a shell's pipe do
	restore := o.replace(t, w)
	w.Close()
	return func() {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			all, _ := io.ReadAll(r)
			o.mu.Lock()
			defer o.mu.Unlock()
			o.read.Write(all)
		}()
		restore() // the pipe's last writer is then the write under way
		<-ended
		r.Close()
	}
}

// replace makes o.File's descriptor a duplicate of f's until restore is called.
func (o *Output) replace(t *testing.T, f *os.File) (restore func()) {
	t.Helper()
	fd := int(o.File.Fd())
	before, err := unix.Dup(fd)
	if err == nil {
		err = unix.Dup2(int(f.Fd()), fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Dup2(before, fd); err != nil {
			t.Error(err)
		}
		unix.Close(before)
	}
}
