package sourcetest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
)

// faults are ways to break a promise, and the promise that each breaks.
var faults = map[string]string{
	"none":                        "",
	"reorders":                    "delivers_in_order",
	"leaves a goroutine behind":   "delivers_in_order",
	"ignores a failed commit":     "claims_nothing_that_was_not_committed",
	"uses a batch that is Put's":  "drains_when_asked_to_stop",
	"leaves before the commit":    "drains_when_asked_to_stop",
	"fails when asked to stop":    "delivers_in_order",
	"makes up an error at a stop": "stops_at_once_when_the_process_must",
}

// inner is the fault of the source that a process started by TestFaults tries.
const inner = "SOURCETEST_FAULT"

func TestFaults(t *testing.T) {
	if fault, ok := os.LookupEnv(inner); ok {
		sourcetest.Run(t, sourcetest.Case{
			New: func(_ *testing.T, bodies []string) source.Options { return &faulty{fault: fault, bodies: bodies} },
		})
		return
	}
	for fault, promise := range faults {
		t.Run(fault, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFaults$")
			cmd.Env = append(os.Environ(), inner+"="+fault)
			output, err := cmd.CombinedOutput()
			if (err != nil) != (promise != "") || !strings.Contains(string(output), promise) {
				t.Errorf("got %v; want the failure of %q:\n%s", err, promise, output)
			}
		})
	}
}

// faulty is a source of some bodies that has one fault.
type faulty struct {
	fault  string
	bodies []string
	ends   bool
}

func (f *faulty) End() { f.ends = true }

func (f *faulty) Open(context.Context) (source.Source, error) { return f, nil }

func (f *faulty) Run(ctx context.Context, put source.Put) error {
	bodies := f.bodies
	switch f.fault {
	case "reorders":
		bodies = slices.Clone(bodies)
		slices.Reverse(bodies)
	case "leaves a goroutine behind":
		go func() { select {} }()
	}
	var batch event.Batch
	for _, body := range bodies {
		if ctx.Err() != nil {
			break
		}
		batch.Reset()
		batch.Append(event.Event{Body: []byte(body)})
		commit := put.Begin(&batch)
		switch f.fault {
		case "uses a batch that is Put's":
			batch.Reset()
			batch.Append(event.Event{Body: []byte("else")})
		case "leaves before the commit":
			done := make(chan error, 1)
			go func() { done <- commit.Wait() }()
			select {
			case <-ctx.Done():
				return nil
			case err := <-done:
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := commit.Wait(); err != nil && f.fault != "ignores a failed commit" {
			if f.fault == "makes up an error at a stop" && ctx.Err() != nil {
				return context.Canceled
			}
			return err
		}
	}
	if f.fault == "fails when asked to stop" && !f.ends {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}
