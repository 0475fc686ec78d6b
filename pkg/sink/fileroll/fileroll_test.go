package fileroll

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

func TestPromises(t *testing.T) {
	if !sinktest.Alone(t) {
		return
	}
	for name, set := range map[string][]string{
		"by default": nil,
		"fsync":      {"fsync", "true"},
		"rolling":    {"sink.rollInterval", "1ms", "sink.pathManager", "rolltime"},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T) (sink.Options, sinktest.Destination) {
					dir := t.TempDir()
					opt := sinktest.Set(t, new(Options), append([]string{"sink.directory", dir}, set...)...)
					return opt, sinktest.Destination{
						Bodies: func(t *testing.T) []string { return lines(t, dir) },
						Break:  func(t *testing.T) func() { return sinktest.FillDisk(t, 7) },
					}
				},
				Refused: map[string]func(*testing.T) sink.Options{
					"sink.directory": func(t *testing.T) sink.Options {
						return sinktest.Set(t, new(Options), "sink.directory", filepath.Join(t.TempDir(), "absent"))
					},
					"sink.batchSize": func(t *testing.T) sink.Options {
						opt := sinktest.Set(t, new(Options), "sink.directory", t.TempDir())
						opt.BatchSize = 0
						return opt
					},
				},
			})
		})
	}
}

func TestOpenNamesWhatIsWrongWithTheDirectory(t *testing.T) {
	dir := t.TempDir()
	regular := filepath.Join(dir, "regular")
	if err := os.WriteFile(regular, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, dir, want string }{
		{"absent", filepath.Join(dir, "absent"), "does not exist"},
		{"a file", regular, "is not a directory"},
		{"below a file", filepath.Join(regular, "x"), "not a directory"},
		{"not for this user", "/proc/self", "cannot be written to"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := os.Stat("/proc/self"); err != nil && tt.dir == "/proc/self" {
				t.Skip("this system has no /proc")
			}
			opt := sinktest.Set(t, new(Options), "sink.directory", tt.dir)
			if _, err := opt.Open(sinktest.Context(t)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}

// The cases of Flume's TestRollingFileSink, and what 1.11 gets wrong.
func TestFiles(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  []string
		do   func(t *testing.T, s sink.Sink)
		want []string // names and contents
	}{
		{"no event, no file", []string{"sink.rollInterval", "1"},
			func(t *testing.T, s sink.Sink) { time.Sleep(time.Hour) },
			nil},
		{"a file every interval", []string{"sink.rollInterval", "1"},
			func(t *testing.T, s sink.Sink) {
				for i := range 5 {
					put(t, s, fmt.Sprint("a", i), fmt.Sprint("b", i))
					time.Sleep(500 * time.Millisecond)
					synctest.Wait()
				}
			},
			[]string{"946684800000-1: a0 b0 a1 b1", "946684800000-2: a2 b2 a3 b3", "946684800000-3: a4 b4"}},
		{"the interval counts from the start, not from the file", []string{"sink.rollInterval", "10"},
			func(t *testing.T, s sink.Sink) {
				time.Sleep(29 * time.Second)
				put(t, s, "at 29 s")
				time.Sleep(2 * time.Second)
				put(t, s, "at 31 s")
			},
			[]string{"946684800000-1: at 29 s", "946684800000-2: at 31 s"}},
		{"an idle hour makes no files", []string{"sink.rollInterval", "1"},
			func(t *testing.T, s sink.Sink) {
				put(t, s, "before")
				time.Sleep(time.Hour)
				put(t, s, "after")
			},
			[]string{"946684800000-1: before", "946684800000-2: after"}},
		{"one file at 0", []string{"sink.rollInterval", "0"},
			func(t *testing.T, s sink.Sink) {
				put(t, s, "a")
				time.Sleep(1000 * time.Hour)
				put(t, s, "b")
			},
			[]string{"946684800000-1: a b"}},
		{"one file below 0", []string{"sink.rollInterval", "-1"},
			func(t *testing.T, s sink.Sink) {
				put(t, s, "a")
				time.Sleep(1000 * time.Hour)
				put(t, s, "b")
			},
			[]string{"946684800000-1: a b"}},
		{"prefix and extension", []string{"sink.pathManager.prefix", "p-", "sink.pathManager.extension", "log"},
			func(t *testing.T, s sink.Sink) { put(t, s, "a") },
			[]string{"p-946684800000-1.log: a"}},
		{"rolltime", []string{"sink.pathManager", "ROLLTIME", "sink.pathManager.prefix", "p-", "sink.pathManager.extension", "log", "sink.rollInterval", "500ms"},
			func(t *testing.T, s sink.Sink) {
				for range 3 {
					put(t, s, "a")
					time.Sleep(500 * time.Millisecond)
					synctest.Wait()
				}
			},
			[]string{"p-" + stamp(0) + "-1.log: a", "p-" + stamp(0) + "-2.log: a", "p-" + stamp(1) + "-1.log: a"}},
		{"without newlines", []string{"sink.serializer", "text", "sink.serializer.appendNewline", "false"},
			func(t *testing.T, s sink.Sink) { put(t, s, "a", "b") },
			[]string{"946684800000-1: ab"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01, UTC
				s := start(t, dir, tt.set...)
				tt.do(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			})
			if got := files(t, dir); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestFileThatIsThereIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "946684800000-2"), []byte("precious\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		one, other := start(t, dir), start(t, dir) // in the same millisecond
		put(t, one, "one")
		put(t, other, "other")
		for _, s := range []sink.Sink{one, other} {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	want := []string{"946684800000-1: one", "946684800000-2: precious", "946684800000-3: other"}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

// stamp is ROLLTIME's for the second that many after the start of a bubble.
func stamp(second int64) string {
	return time.Unix(946684800+second, 0).Format("20060102150405")
}

func start(t testing.TB, dir string, set ...string) sink.Sink {
	t.Helper()
	opt := sinktest.Set(t, new(Options), append([]string{"sink.directory", dir}, set...)...)
	s, err := opt.Open(sinktest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s sink.Sink, bodies ...string) {
	t.Helper()
	if err := s.Write(t.Context(), batch(bodies...)); err != nil {
		t.Fatal(err)
	}
}

func batch(bodies ...string) *event.Batch {
	var b event.Batch
	for _, body := range bodies {
		b.Append(event.Event{Body: []byte(body)})
	}
	return &b
}

// files returns the names and contents of dir's files.
func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(e.Name()+": "+strings.ReplaceAll(string(text), "\n", " ")))
	}
	return all
}

// lines returns the lines of all files in dir, in the order in which the files
// were made.
func lines(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*-*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(paths, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var all []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			all = append(all, strings.TrimSuffix(line, "\n"))
		}
	}
	return all
}

func BenchmarkWrite(b *testing.B) {
	for name, set := range map[string][]string{"kernel": nil, "fsync": {"fsync", "true"}} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			opt := sinktest.Set(b, new(Options), append([]string{"sink.directory", dir, "sink.rollInterval", "0"}, set...)...)
			sinktest.Benchmark(b, opt)
		})
	}
}

// BenchmarkRaw writes what BenchmarkWrite does, without a sink.
func BenchmarkRaw(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	lines := []byte(strings.Repeat(strings.Repeat("x", 200)+"\n", 1000))
	b.SetBytes(1000 * 200)
	for b.Loop() {
		if _, err := f.Write(lines); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
