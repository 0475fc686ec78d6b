package plugin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/plugin"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
	"github.com/flumekit/flumekit/pkg/stream"
)

// script makes the program fsrc-fish, first on PATH, and returns its options.
func script(t *testing.T, text string) *plugin.Options {
	t.Helper()
	write(t, "#!/bin/sh\n"+text)
	return options(t)
}

func write(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fsrc-fish"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

func options(t *testing.T) *plugin.Options {
	t.Helper()
	spec, ok := plugin.Find("fish")
	if !ok {
		t.Fatal("the plug-in is not found")
	}
	return spec.New().(*plugin.Options)
}

func TestPromises(t *testing.T) {
	for name, end := range map[string]string{"that ends": "", "that goes on": "sleep 1000\n"} {
		t.Run("of a program "+name, func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Case{
				New: func(t *testing.T, bodies []string) source.Options {
					text := "printf '" + strings.Join(bodies, `\n`) + `\n'` + "\n"
					if !strings.HasSuffix(t.Name(), "/ends_when_asked_for_what_is_there") {
						text += end
					}
					return script(t, text)
				},
			})
		})
	}
}

// TestPromisesAcknowledged holds the promises for a program that is a writer of
// ours: this test's own binary.
func TestPromisesAcknowledged(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New: func(t *testing.T, bodies []string) source.Options {
			t.Setenv(writerBodies, strings.Join(bodies, " "))
			t.Setenv("PATH", link(t)+string(filepath.ListSeparator)+os.Getenv("PATH"))
			return options(t)
		},
	})
}

// link returns a directory in which fsrc-fish is this test's binary.
func link(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "fsrc-fish")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// With these in the environment the test binary is the plug-in.
const (
	writerBodies = "PLUGIN_BODIES" // what it writes, a batch each
	writerTries  = "PLUGIN_TRIES"  // not empty: it does not wait for room
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "fsrc-fish" {
		if err := writeBodies(strings.Fields(os.Getenv(writerBodies)), os.Getenv(writerTries) == ""); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeBodies writes bodies as a command of ours does. Of refusals it writes the
// texts, a batch each, and waits for room with them.
func writeBodies(bodies []string, wait bool) error {
	ctx := context.Background()
	w, err := stream.OpenStdout(ctx, os.Stdout, stream.StdoutOptions{Name: "fish", Ack: stream.AckRequire, Format: stream.Auto})
	if err != nil {
		return err
	}
	for _, body := range bodies {
		var refused *stream.Refused
		err := w.Send(batch(body), wait).Wait()
		if !wait && errors.As(err, &refused) {
			err = w.Send(batch(string(refused.Code)+": "+refused.Text), true).Wait()
		}
		if err != nil {
			return err
		}
	}
	return w.Close(ctx)
}

func batch(body string) *event.Batch {
	var b event.Batch
	b.Append(event.Event{Body: []byte(body)})
	return &b
}

// run runs a source to its end.
func run(t *testing.T, opt source.Options, put source.Put) error {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	src, err := opt.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- src.Run(t.Context(), put) }()
	select {
	case err := <-done:
		return err
	case <-time.After(sourcetest.Bound):
		t.Fatal("Run has not returned")
		return nil
	}
}

// refuser refuses the batches of those who do not wait.
type refuser struct{ sourcetest.Collector }

func (*refuser) Try(*event.Batch) error {
	return &stream.Refused{Code: stream.Full, Text: "no room"}
}

func TestRefusesToThoseWhoDoNotWait(t *testing.T) {
	t.Setenv(writerBodies, "a b")
	t.Setenv(writerTries, "yes")
	t.Setenv("PATH", link(t))
	var put refuser
	if err := run(t, options(t), &put); err != nil {
		t.Fatal(err)
	}
	if got, want := put.Bodies(), []string{"full: no room", "full: no room"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestReadsJSON(t *testing.T) {
	opt := script(t, `echo '{"headers":{"host":"a"},"body":"x"}'`)
	var put sourcetest.Collector
	if err := run(t, opt, &put); err != nil {
		t.Fatal(err)
	}
	events := slices.Concat(put.Batches()...)
	if len(events) != 1 || string(events[0].Body) != "x" {
		t.Fatalf("got %v; want the body x", events)
	}
	if host, _ := events[0].Headers.Get("host"); host != "a" {
		t.Errorf("got host %q; want a", host)
	}
}

func TestHandsOverPropertiesAndTarget(t *testing.T) {
	opt := script(t, `grep -v '^#' "$2"; echo "target $3"`)
	opt.Properties = map[string]string{"size": "9", "name": "carp"}
	opt.Target = "pond"
	var put sourcetest.Collector
	if err := run(t, opt, &put); err != nil {
		t.Fatal(err)
	}
	if got, want := put.Bodies(), []string{"name=carp", "size=9", "target pond"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestFailsWithTheProgram(t *testing.T) {
	opt := script(t, "echo last words\nexit 3\n")
	var put sourcetest.Collector
	err := run(t, opt, &put)
	if want := "plug-in fsrc-fish ended: exit status 3"; err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
	if got := put.Bodies(); !slices.Equal(got, []string{"last words"}) {
		t.Errorf("got %q; want what it wrote before", got)
	}
}

func TestFailsWhereThereIsNoInterpreter(t *testing.T) {
	write(t, "echo x\n")
	err := run(t, options(t), new(sourcetest.Collector))
	if lines := strings.Join(fault.Lines(err), "\n"); !strings.Contains(lines, "starting plug-in fsrc-fish") || !strings.Contains(lines, "hint: ") {
		t.Errorf("got %s", lines)
	}
}

func TestSpec(t *testing.T) {
	script(t, "")
	spec, ok := plugin.Find("fish")
	if !ok {
		t.Fatal("the plug-in is not found")
	}
	every := func() []cli.Group { return []cli.Group{{Options: new(source.Common)}} }
	if err := cli.Verify(component.Catalog[source.Options]{spec}, every); err != nil {
		t.Error(err)
	}
	if _, ok := plugin.Find("bird"); ok {
		t.Error("there is a plug-in that is not on PATH")
	}
}
