package fileroll

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/serializer"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

func TestFullDiskLeavesNoPartOfABatch(t *testing.T) {
	if !sinktest.Alone(t) {
		return
	}
	const room = 300 << 10 // more than one write of the serializer
	dir := t.TempDir()
	s := start(t, dir, "sink.rollInterval", "0")
	put(t, s, "first")
	mend := sinktest.FillDisk(t, room)
	big := strings.Repeat("x", 1000)
	if err := s.Write(t.Context(), batch(slices.Repeat([]string{big}, 400)...)); err == nil || !strings.Contains(err.Error(), "file too large") {
		t.Errorf("got %v; want the kernel's refusal", err)
	}
	if got, want := lines(t, dir), []string{"first"}; !slices.Equal(got, want) {
		t.Errorf("while the disk is full: got %.40q…; want %q", got, want)
	}
	mend()
	put(t, s, "second")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got, want := files(t, dir), ": first second"; len(got) != 1 || !strings.HasSuffix(got[0], want) {
		t.Errorf("got %q; want one file with %q", got, want)
	}
}

func TestFullDiskLeavesNoEmptyFile(t *testing.T) {
	if !sinktest.Alone(t) {
		return
	}
	dir := t.TempDir()
	s := start(t, dir)
	mend := sinktest.FillDisk(t, 7)
	defer mend()
	if err := s.Write(t.Context(), batch("more than seven bytes")); err == nil {
		t.Error("Write returned nil; want the kernel's refusal")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("got %q; want no file", got)
	}
}

// A file that can neither be written to nor cut back is left as it is.
func TestFileThatFailsIsFollowedByAnother(t *testing.T) {
	if !sinktest.Alone(t) {
		return
	}
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, f *file) (mend func())
		left  string // in the first file
	}{
		{"its descriptor is gone", func(t *testing.T, f *file) func() {
			f.f.Close()
			return func() {}
		}, "first"},
		{"another program cut it and the disk is full", func(t *testing.T, f *file) func() {
			if err := os.Truncate(f.path(), 2); err != nil {
				t.Fatal(err)
			}
			return sinktest.FillDisk(t, 4)
		}, "fise"},
		{"it cannot be synced", func(t *testing.T, f *file) func() {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			f.f.Close()
			f.f = w
			return func() { r.Close() }
		}, "first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, dir, "sink.rollInterval", "0", "fsync", "true")
			put(t, s, "first")
			mend := tt.spoil(t, s.(*rollingFile).file)
			if err := s.Write(t.Context(), batch("second", "third")); err == nil {
				t.Fatal("Write returned nil for a file that cannot be written to")
			}
			mend()
			put(t, s, "second", "third")
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			got := files(t, dir)
			if len(got) != 2 || !strings.HasSuffix(got[0], "-1: "+tt.left) || !strings.HasSuffix(got[1], "-2: second third") {
				t.Errorf("got %q; want %q in the first file and the second batch in another", got, tt.left)
			}
		})
	}
}

// Flume's sink opens a file again that it could not complete, and truncates it.
func TestFailedRollKeepsTheData(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "sink.rollInterval", "3600")
	put(t, s, "first")
	r := s.(*rollingFile)
	r.file.f.Close() // so that closing it fails
	r.tick()
	put(t, s, "second")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got, want := lines(t, dir), []string{"first", "second"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

// A serializer that writes an end to the file finds the disk full at first.
func TestRollIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, dir, "sink.rollInterval", "10")
		put(t, s, "first")
		r := s.(*rollingFile)
		r.mu.Lock()
		ending := &ending{file: r.file, Serializer: r.file.to, failures: 3}
		r.file.to = ending
		r.mu.Unlock()
		time.Sleep(20 * time.Second) // two ticks
		synctest.Wait()
		if err := s.Write(t.Context(), batch("second")); err == nil || !strings.Contains(err.Error(), "completing "+ending.path()) {
			t.Errorf("got %v; want that the file cannot be completed", err)
		}
		put(t, s, "second")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	want := []string{"946684800000-1: first end", "946684800000-2: second"}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

type ending struct {
	*file
	serializer.Serializer
	failures int
}

func (e *ending) Write(b *event.Batch) error { return e.Serializer.Write(b) }

func (e *ending) Close() error {
	if _, err := e.file.Write([]byte("end\n")); err != nil || e.failures == 0 {
		return err
	}
	e.failures--
	return syscall.ENOSPC
}

// A process is killed while it writes, and started again with what it had not
// said to be delivered.
func TestKill(t *testing.T) {
	const total = 5000
	if dir := os.Getenv("FILEROLL_TEST_DIR"); dir != "" {
		from, _ := strconv.Atoi(os.Getenv("FILEROLL_TEST_FROM"))
		s := start(t, dir, "sink.rollInterval", "20ms")
		for ; from < total; from += 10 {
			var bodies []string
			for i := range 10 {
				bodies = append(bodies, fmt.Sprintf("event-%06d", from+i))
			}
			put(t, s, bodies...)
			fmt.Printf("delivered %d\n", from+10)
		}
		return
	}

	dir := t.TempDir()
	delivered := 0
	for run := 0; delivered < total; run++ {
		child := exec.Command(os.Args[0], "-test.run=^TestKill$")
		child.Env = append(os.Environ(), "FILEROLL_TEST_DIR="+dir, fmt.Sprint("FILEROLL_TEST_FROM=", delivered))
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		for in, killAt := bufio.NewScanner(out), delivered+total/5; in.Scan(); {
			if _, err := fmt.Sscanf(in.Text(), "delivered %d", &delivered); err == nil && delivered == killAt {
				child.Process.Kill() // what it still says is read as well
			}
		}
		child.Wait()
		got := set(lines(t, dir))
		for i := range delivered {
			if want := fmt.Sprintf("event-%06d", i); !got[want] {
				t.Fatalf("run %d: %s was delivered and is in no file", run, want)
			}
		}
	}
}

func set(lines []string) map[string]bool {
	seen := map[string]bool{}
	for _, line := range lines {
		seen[line] = true
	}
	return seen
}
