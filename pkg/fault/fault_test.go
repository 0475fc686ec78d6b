package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/flumekit/flumekit/pkg/fault"
)

func TestLines(t *testing.T) {
	base := fault.Hint(fault.At(errors.New("no such port"), "f.conf:7: a1.sources.r1.port"), "write %d", 44444)
	for _, tt := range []struct {
		name string
		err  error
		want []string
	}{
		{"nothing for nil", nil, nil},
		{"a plain error is one line", errors.New("a"), []string{"error: a"}},
		{"place before hint", base, []string{"error: no such port", "at: f.conf:7: a1.sources.r1.port", "hint: write 44444"}},
		{"wrapping keeps them", fmt.Errorf("starting: %w", base),
			[]string{"error: starting: no such port", "at: f.conf:7: a1.sources.r1.port", "hint: write 44444"}},
		{"joined errors each have their lines", fault.WithStatus(errors.Join(base, errors.New("b")), fault.Config),
			[]string{"error: no such port", "at: f.conf:7: a1.sources.r1.port", "hint: write 44444", "error: b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fault.Lines(tt.err); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestHints(t *testing.T) {
	err := fmt.Errorf("sink k1: %w", fault.Hint(fault.Hint(fault.At(errors.New("a"), "w"), "inner"), "outer"))
	if got, want := fault.Hints(err), []string{"inner", "outer"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := fault.Hints(errors.New("a")); got != nil {
		t.Errorf("got %q of an error without hints", got)
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"nil is delivered", nil, 0},
		{"failed without a word", errors.New("a"), 1},
		{"as set", fault.WithStatus(errors.New("a"), fault.Config), 78},
		{"the outermost counts", fault.WithStatus(fault.WithStatus(errors.New("a"), fault.Config), fault.TryAgain), 75},
		{"through other wrappers", fmt.Errorf("x: %w", fault.Hint(fault.WithStatus(errors.New("a"), fault.Usage), "h")), 2},
		{"the first of joined ones", errors.Join(errors.New("a"), fault.WithStatus(errors.New("b"), 3)), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fault.Status(tt.err); got != tt.want {
				t.Errorf("got %d; want %d", got, tt.want)
			}
		})
	}
}

func TestDetailsKeepTheError(t *testing.T) {
	err := fault.At(fault.Hint(fault.WithStatus(fs.ErrNotExist, 1), "h"), "w")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist any more", err)
	}
	if fault.At(nil, "w") != nil || fault.Hint(nil, "h") != nil || fault.WithStatus(nil, 1) != nil {
		t.Error("nil did not stay nil")
	}
}

func TestClosest(t *testing.T) {
	names := []string{"netcat", "exec", "seq", "stdin", "capacity", "transactionCapacity"}
	for word, want := range map[string]string{
		"netcta": "netcat", "Netcat": "netcat", "exce": "exec", "capacty": "capacity", "kafka": "", "x": "",
	} {
		if got := fault.Closest(word, names); got != want {
			t.Errorf("Closest(%q) = %q; want %q", word, got, want)
		}
	}
}
