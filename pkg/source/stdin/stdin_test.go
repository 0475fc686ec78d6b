package stdin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
	"github.com/flumekit/flumekit/pkg/source/stdin"
)

// options returns the defaults, reading in.
func options(in *os.File) *stdin.Options {
	return &stdin.Options{BatchSize: 1000, MaxLineLength: 1 << 20, Input: in}
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func file(t testing.TB, content []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func joined(bodies []string) []byte { return []byte(strings.Join(bodies, "\n") + "\n") }

func TestPromises(t *testing.T) {
	refused := map[string]func(*testing.T) source.Options{
		"directory": func(t *testing.T) source.Options {
			dir, err := os.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dir.Close() })
			return options(dir)
		},
		"standard input": func(t *testing.T) source.Options {
			closed := file(t, nil)
			closed.Close()
			return options(closed)
		},
	}
	for name, open := range map[string]func(*testing.T, []byte) *os.File{
		"a pipe": func(t *testing.T, content []byte) *os.File {
			r, w := pipe(t)
			w.Write(content)
			w.Close()
			return r
		},
		"a file": func(t *testing.T, content []byte) *os.File { return file(t, content) },
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Case{
				New: func(t *testing.T, bodies []string) source.Options {
					opt := options(open(t, joined(bodies)))
					opt.BatchSize = 7
					return opt
				},
				Refused: refused,
			})
		})
	}
}

// run runs a stdin source to its end.
func run(ctx context.Context, t testing.TB, opt *stdin.Options, put source.Put) error {
	t.Helper()
	src, err := opt.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return src.Run(ctx, put)
}

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name, input string
		want        []string
	}{
		{"nothing", "", nil},
		{"lines", "a\nb\n", []string{"a", "b"}},
		{"a last line without its newline", "a\nb", []string{"a", "b"}},
		{"blank lines and carriage returns", "\n\r\n\nx", []string{"", "\r", "", "x"}},
		{"any bytes", "\x00\xff\n", []string{"\x00\xff"}},
		{"the longest line", "12345678\n1", []string{"12345678", "1"}},
		{"a line too long", "123456789abcdefghi\nx\n", []string{"12345678", "9abcdefg", "hi", "x"}},
		{"a last line too long", "123456789", []string{"12345678", "9"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := options(file(t, []byte(tt.input)))
			opt.MaxLineLength = 8
			var put sourcetest.Collector
			if err := run(t.Context(), t, opt, &put); err != nil {
				t.Errorf("Run: %v", err)
			}
			if got := put.Bodies(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestLinesHoweverTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.SliceOf(rapid.StringMatching(`[a-z\r]{0,40}`)).Draw(rt, "lines")
		opt := options(nil)
		opt.BatchSize = option.Int(rapid.IntRange(1, 10).Draw(rt, "batchSize"))
		var w *os.File
		opt.Input, w = pipe(t)
		put := sourcetest.Collector{}
		done := make(chan error)
		go func() { done <- run(t.Context(), t, opt, &put) }()
		for rest := joined(want); len(rest) > 0 && len(want) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "write")
			w.Write(rest[:n])
			rest = rest[n:]
		}
		w.Close()
		if err := <-done; err != nil {
			rt.Errorf("Run: %v", err)
		}
		opt.Input.Close()
		if got := put.Bodies(); !slices.Equal(got, want) {
			rt.Errorf("got %q; want %q", got, want)
		}
	})
}

func TestLongInput(t *testing.T) {
	var want []string
	for i := range 50000 {
		want = append(want, fmt.Sprint(i))
	}
	want = append(want, strings.Repeat("x", 1<<20), "end")
	var put sourcetest.Collector
	if err := run(t.Context(), t, options(file(t, joined(want))), &put); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := put.Bodies(); !slices.Equal(got, want) {
		t.Errorf("got %d lines; want %d as they were", len(got), len(want))
	}
	for _, batch := range put.Batches() {
		if len(batch) > 1000 {
			t.Errorf("got a batch of %d; want at most batchSize", len(batch))
		}
	}
}

func TestSlowWriter(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		step    bool // each line is committed before the next is written
		batches int
	}{
		{"a line goes at once", 0, true, 3},
		{"a line goes after batchTimeout", time.Millisecond, true, 3},
		{"lines wait for a full batch", time.Hour, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, w := pipe(t)
			opt := options(r)
			opt.BatchSize, opt.BatchTimeout = 3, option.Millis(tt.timeout)
			var put sourcetest.Collector
			done := make(chan error)
			go func() { done <- run(ctx, t, opt, &put) }()
			for i := range 3 {
				fmt.Fprintln(w, i)
				if tt.step {
					put.Await(t, i+1)
				}
			}
			put.Await(t, 3)
			cancel() // the reader waits on an open pipe
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if got := len(put.Batches()); got != tt.batches {
				t.Errorf("got %d batches; want %d", got, tt.batches)
			}
		})
	}
}

// trap does something at the nth batch.
type trap struct {
	*sourcetest.Collector
	n  int
	do func()
}

func (p *trap) Begin(b *event.Batch) source.Commit {
	if p.n--; p.n == 0 {
		p.do()
	}
	return p.Collector.Begin(b)
}

func TestInputStandsAtWhatIsNotCommitted(t *testing.T) {
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprintf("line %d", i)+strings.Repeat(".", 10_000))
	}
	in := file(t, joined(want))
	var put sourcetest.Collector
	broken := errors.New("the channel is broken")

	// A failure, at the start of the input.
	opt := options(in)
	opt.BatchSize = 10
	err := run(t.Context(), t, opt, &trap{&put, 4, func() { put.Fail(broken) }})
	lines := strings.Join(fault.Lines(err), "\n")
	if !errors.Is(err, broken) || !strings.Contains(lines, "hint: committed 30 lines; go on with: tail -n +31") {
		t.Errorf("got %s; want the failure, 30 lines and where to go on", lines)
	}

	// Another in the middle.
	put.Accept()
	err = run(t.Context(), t, opt, &trap{&put, 2, func() { put.Fail(broken) }})
	at := len(joined(want[:40]))
	lines = strings.Join(fault.Lines(err), "\n")
	if hint := fmt.Sprintf("hint: committed 10 lines; go on with: tail -c +%d", at+1); !strings.Contains(lines, hint) {
		t.Errorf("got %s; want %s", lines, hint)
	}

	// A stop.
	put.Accept()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opt.BatchSize = 1
	if err := run(ctx, t, opt, &trap{&put, 2, cancel}); err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := len(put.Bodies()); n <= 40 || n == len(want) {
		t.Errorf("got %d events before the stop took effect; want some of the input, not all", n)
	}

	// The rest.
	if err := run(t.Context(), t, opt, &put); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := put.Bodies(); !slices.Equal(got, want) {
		t.Errorf("got %d events; want the %d lines, each once and in order", len(got), len(want))
	}
}

func TestInputIsNotMovedBeforeTheCommit(t *testing.T) {
	in := file(t, []byte("skipped\na\nb\n"))
	if _, err := in.Seek(8, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var put sourcetest.Collector
	put.Hold()
	done := make(chan error)
	go func() { done <- run(t.Context(), t, options(in), &put) }()
	put.AwaitCaller(t)
	if at, err := in.Seek(0, io.SeekCurrent); at != 8 || err != nil {
		t.Errorf("before the commit the input stands at %d, %v; want 8", at, err)
	}
	put.Accept()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if at, err := in.Seek(0, io.SeekCurrent); at != 12 || err != nil {
		t.Errorf("after it the input stands at %d, %v; want 12", at, err)
	}
	if got := put.Bodies(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q; want a and b", got)
	}
}

func TestValidate(t *testing.T) {
	if err := options(nil).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for property, spoil := range map[string]func(*stdin.Options){
		"batchSize":       func(o *stdin.Options) { o.BatchSize = 0 },
		"batchTimeout":    func(o *stdin.Options) { o.BatchTimeout = -1 },
		"max-line-length": func(o *stdin.Options) { o.MaxLineLength = 1 << 40 },
	} {
		opt := options(nil)
		spoil(opt)
		if err := opt.Validate(); err == nil || !strings.HasPrefix(err.Error(), property+" is ") {
			t.Errorf("%s: got %v; want an error that names it", property, err)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	const lines = 100_000
	for _, size := range []int{7, 200} {
		content := bytes.Repeat(append(bytes.Repeat([]byte("x"), size-1), '\n'), lines)
		bench := func(name string, input func(b *testing.B) *os.File) {
			b.Run(fmt.Sprintf("%s/%d bytes", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(content)))
				for b.Loop() {
					put := sourcetest.Collector{Forget: true}
					if err := run(b.Context(), b, options(input(b)), &put); err != nil {
						b.Fatal(err)
					}
					put.Await(b, lines)
				}
				b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "events/s")
			})
		}
		f := file(b, content)
		bench("file", func(b *testing.B) *os.File {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				b.Fatal(err)
			}
			return f
		})
		bench("pipe", func(b *testing.B) *os.File {
			r, w := pipe(b)
			go func() { w.Write(content); w.Close() }()
			return r
		})
	}
}
