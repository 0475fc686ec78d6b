package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/eventjson"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/plugin"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
	"github.com/flumekit/flumekit/pkg/stream"
)

// script makes the program fsink-fish, first on PATH, and returns its options.
func script(t *testing.T, text string) *plugin.Options {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fsink-fish"), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return options(t)
}

func options(t *testing.T) *plugin.Options {
	t.Helper()
	spec, ok := plugin.Find("fish")
	if !ok {
		t.Fatal("the plug-in is not found")
	}
	return spec.New().(*plugin.Options)
}

// TestPromisesAcknowledged holds the promises for a program that is a reader of
// ours: this test's own binary.
func TestPromisesAcknowledged(t *testing.T) {
	sinktest.Run(t, sinktest.Case{
		New: func(t *testing.T) (sink.Options, sinktest.Destination) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.Symlink(self, filepath.Join(dir, "fsink-fish")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir)
			opt := options(t)
			opt.Target = filepath.Join(dir, "out")
			return opt, sinktest.Destination{Bodies: func(t *testing.T) []string {
				text, err := os.ReadFile(opt.Target)
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				return strings.Fields(string(text))
			}}
		},
	})
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "fsink-fish" {
		if err := readBodies(os.Args[1]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// readBodies reads events as a command of ours does, and writes their bodies to
// a file.
func readBodies(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	in := stream.OpenStdin(os.Stdin, "fish", stream.Bounds{})
	defer in.Close()
	for {
		d, err := in.Next(context.Background())
		if err != nil {
			return nil
		}
		for e := range d.Batch.All() {
			if _, err := f.Write(append(e.Body, '\n')); err != nil {
				return err
			}
		}
		d.Commit()
	}
}

func batch(bodies ...string) *event.Batch {
	var b event.Batch
	for _, body := range bodies {
		b.Append(event.Event{Headers: event.NewHeaders("host", "a"), Body: []byte(body)})
	}
	return &b
}

// open opens a sink that logs into a buffer.
func open(t *testing.T, opt *plugin.Options) (sink.Sink, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := opt.Open(zerolog.New(log).Level(zerolog.WarnLevel).WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func TestWritesJSON(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	out := filepath.Join(t.TempDir(), "out")
	opt := script(t, `grep -v '^#' "$2" >"$3"; cat >>"$3"`)
	opt.Properties = map[string]string{"size": "9"}
	opt.Target = out
	s, log := open(t, opt)
	for _, body := range []string{"x", "y"} {
		if err := s.Write(t.Context(), batch(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := "size=9\n"
	for e := range batch("x", "y").All() {
		want += string(eventjson.Append(nil, e)) + "\n"
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if got := strings.Count(log.String(), "plug-in fsink-fish does not acknowledge"); got != 1 {
		t.Errorf("got %d notices; want 1:\n%s", got, log)
	}
}

func TestCloseFailsWithTheProgram(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, _ := open(t, script(t, "cat >/dev/null\nexit 3\n"))
	if err := s.Write(t.Context(), batch("x")); err != nil {
		t.Fatal(err)
	}
	err := s.Close()
	if want := "plug-in fsink-fish ended: exit status 3"; err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestGivesUpAProgramThatHasGone(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, _ := open(t, script(t, "exit 3\n"))
	for range 2 {
		if err := s.Write(t.Context(), batch("x")); !errors.Is(err, sink.ErrGone) || !strings.Contains(err.Error(), "fsink-fish") {
			t.Errorf("got %v; want %v", err, sink.ErrGone)
		}
	}
	if err := s.Close(); err == nil || err.Error() != "plug-in fsink-fish ended: exit status 3" {
		t.Errorf("got %v; want how it ended", err)
	}
}

// TestGivesUpAProgramThatStopsReading has the write's context end while the
// pipe is full.
func TestGivesUpAProgramThatStopsReading(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	opt := script(t, "head -c 1 >\"$1\"\nexec sleep 1000\n")
	opt.Target = filepath.Join(t.TempDir(), "begun")
	s, _ := open(t, opt)
	large := batch(strings.Repeat("x", 4<<20))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Write(ctx, large) }()
	begun := func() bool {
		info, err := os.Stat(opt.Target)
		return err == nil && info.Size() > 0
	}
	for deadline := time.Now().Add(sinktest.Bound); !begun(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("Write has written nothing")
		}
	}
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("nobody reads, and Write returned nil")
		}
	case <-time.After(sinktest.Bound):
		t.Fatal("Write has not returned")
	}
	if err := s.Close(); err == nil {
		t.Error("the program was ended by a signal, and Close returned nil")
	}
}

func TestOpenStopsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	opt := script(t, "exec sleep 1000\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := opt.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want %v", err, context.Canceled)
	}
}

func TestSpec(t *testing.T) {
	script(t, "")
	spec, ok := plugin.Find("fish")
	if !ok {
		t.Fatal("the plug-in is not found")
	}
	if err := cli.Verify(component.Catalog[sink.Options]{spec}, nil); err != nil {
		t.Error(err)
	}
	if _, ok := plugin.Find("bird"); ok {
		t.Error("there is a plug-in that is not on PATH")
	}
}
