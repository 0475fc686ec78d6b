package lineout_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/lineout"
)

func TestWrite(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := lineout.New(f)
	for _, lines := range []string{"a\nb\n", "", "c\n"} {
		if err := w.Write(t.Context(), append(w.Buffer(), lines...)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(f.Name()); err != nil || string(got) != "a\nb\nc\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWriteIsGivenUpAndGoneOnWith(t *testing.T) {
	r, f, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := lineout.New(f)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	full := strings.Repeat("full\n", 1<<17) // more than any pipe holds
	if err := w.Write(ctx, append(w.Buffer(), full...)); !errors.Is(err, context.Canceled) {
		t.Fatalf("nobody reads and the context is done: got %v; want context.Canceled", err)
	}

	read := make(chan string)
	go func() {
		all, _ := io.ReadAll(r)
		read <- string(all)
	}()
	if err := w.Write(t.Context(), append(w.Buffer(), "next\n"...)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got := <-read; got != full+"next\n" {
		t.Errorf("got %d bytes, the last %q; want the first write's and then the second's", len(got), got[len(got)-5:])
	}
}

func TestLineThatWasCutIsEnded(t *testing.T) {
	r, f, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := lineout.New(f)
	lines := strings.Repeat("one of 13 b.\n", 1<<17) // no pipe's size is a multiple of 13
	cut := make(chan error)
	go func() {
		_, err := io.ReadFull(r, make([]byte, 1)) // what the pipe holds is written now
		cut <- errors.Join(err, f.SetWriteDeadline(time.Unix(1, 0)))
	}()
	if err := w.Write(t.Context(), append(w.Buffer(), lines...)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("nobody reads: got %v; want os.ErrDeadlineExceeded", err)
	}
	if err := errors.Join(<-cut, f.SetWriteDeadline(time.Time{})); err != nil {
		t.Fatal(err)
	}

	read := make(chan string)
	go func() {
		all, _ := io.ReadAll(r)
		read <- string(all)
	}()
	for _, line := range []string{"next\n", "last\n"} {
		if err := w.Write(t.Context(), append(w.Buffer(), line...)); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	got := lines[:1] + <-read
	before, ok := strings.CutSuffix(got, "\nnext\nlast\n")
	if !ok || len(before)%13 == 0 || !strings.HasPrefix(lines, before) {
		t.Errorf("got %d bytes, %.20q…; want a cut line, its end, and the next lines", len(got), got)
	}
}
