package hdfs

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

func TestPromises(t *testing.T) {
	if !sinktest.Alone(t) {
		return
	}
	for name, set := range map[string][]string{
		"by default":  {"hdfs.batchSize", "1000"},
		"large files": {"hdfs.rollCount", "0", "hdfs.rollSize", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T) (sink.Options, sinktest.Destination) {
					dir := t.TempDir()
					return options(t, dir, set...), sinktest.Destination{
						Bodies: func(t *testing.T) []string { return lines(t, dir) },
						Break:  func(t *testing.T) func() { return sinktest.FillDisk(t, 7) },
					}
				},
				Refused: map[string]func(*testing.T) sink.Options{
					"hdfs.path": func(t *testing.T) sink.Options {
						return sinktest.Set(t, new(Options), "hdfs.path", "gopher://x/y")
					},
					"hdfs.batchSize": func(t *testing.T) sink.Options {
						opt := options(t, t.TempDir())
						opt.BatchSize = 0
						return opt
					},
				},
			})
		})
	}
}

// lines returns the lines of all files below dir, in the order of their numbers.
func lines(t testing.TB, dir string) []string {
	t.Helper()
	var paths []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	slices.SortFunc(paths, func(a, b string) int {
		return strings.Compare(strings.TrimSuffix(a, ".tmp"), strings.TrimSuffix(b, ".tmp"))
	})
	var all []string
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) { // it was renamed or removed just now
			return lines(t, dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(content))...)
	}
	return all
}

// A file that fails ends with what was delivered, and the batch is in another.
func TestFailedFileIsCutBack(t *testing.T) {
	if !sinktest.Alone(t) {
		return
	}
	dir := t.TempDir()
	s := open(t, dir, "hdfs.rollCount", "0", "hdfs.rollSize", "0")
	put(t, s, "first")
	mend := sinktest.FillDisk(t, 10)
	if err := s.Write(t.Context(), batch("second", "third")); err == nil || !strings.Contains(err.Error(), "file too large") {
		t.Errorf("got %v; want the kernel's refusal", err)
	}
	mend()
	put(t, s, "second", "third")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	got := files(t, dir)
	if len(got) != 2 || !strings.HasSuffix(got[0], ": first") || !strings.HasSuffix(got[1], ": second third") || strings.Contains(fmt.Sprint(got), ".tmp") {
		t.Errorf("got %q; want what was delivered in the first file and the rest in another", got)
	}
}

// In a sink group the next batch after one that failed may be another. Nothing of
// that which failed is in its files, or counts for their completion.
func TestAnotherBatchAfterAFailedOne(t *testing.T) {
	if !sinktest.Alone(t) {
		return
	}
	dir := t.TempDir()
	s := open(t, dir, "hdfs.path", "file://"+dir+"/%{host}", "hdfs.rollCount", "3", "hdfs.rollSize", "0")
	put(t, s, "a:1")
	mend := sinktest.FillDisk(t, 3)
	if err := s.Write(t.Context(), batch("a:2", "b:1", "b:2", "b:3", "b:4")); err == nil {
		t.Error("got nil; want the kernel's refusal")
	}
	mend()
	put(t, s, "a:5")
	put(t, s, "a:6", "c:7")
	put(t, s, "a:8")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	var got []string
	for _, file := range files(t, dir) {
		host, _, _ := strings.Cut(file, "/")
		_, bodies, _ := strings.Cut(file, ": ")
		got = append(got, host+": "+bodies)
	}
	if want := []string{"a: 1 5 6", "a: 8", "c: 7"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

// A process is killed while it writes, and started again with what it had not
// said to be delivered. No file is left in use.
func TestKill(t *testing.T) {
	const total = 3000
	if dir := os.Getenv("HDFS_TEST_DIR"); dir != "" {
		from, _ := strconv.Atoi(os.Getenv("HDFS_TEST_FROM"))
		s := open(t, dir, "hdfs.rollCount", "70", "hdfs.rollSize", "0", "hdfs.path", "file://"+dir+"/%Y/%{host}")
		for ; from < total; from += 10 {
			var bodies []string
			for i := range 10 {
				bodies = append(bodies, fmt.Sprintf("%c:event-%06d", 'a'+i%3, from+i))
			}
			put(t, s, bodies...)
			fmt.Printf("delivered %d\n", from+10)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return
	}

	dir := t.TempDir()
	delivered := 0
	var said strings.Builder // by the children
	for run := 0; delivered < total; run++ {
		child := exec.Command(os.Args[0], "-test.run=^TestKill$")
		child.Env = append(os.Environ(), "HDFS_TEST_DIR="+dir, fmt.Sprint("HDFS_TEST_FROM=", delivered))
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		for in, killAt := bufio.NewScanner(out), delivered+total/5; in.Scan(); {
			if !strings.HasPrefix(in.Text(), "delivered") {
				fmt.Fprintln(&said, in.Text())
			}
			if _, err := fmt.Sscanf(in.Text(), "delivered %d", &delivered); err == nil && delivered == killAt {
				child.Process.Kill() // what it still says is read as well
			}
		}
		child.Wait()
		got := map[string]bool{}
		for _, line := range lines(t, dir) {
			got[line] = true
		}
		for i := range delivered {
			if want := fmt.Sprintf("event-%06d", i); !got[want] {
				t.Fatalf("run %d: %s was delivered and is in no file", run, want)
			}
		}
	}
	// The last one may have been killed as well.
	if err := open(t, dir, "hdfs.path", "file://"+dir+"/%Y/%{host}").Close(); err != nil {
		t.Error(err)
	}
	for _, file := range files(t, dir) {
		if strings.Contains(file, ".tmp") {
			t.Errorf("left in use: %.60s…; the processes said\n%s", file, &said)
		}
	}
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"2012/a/FlumeData.17.tmp":     "whole\n",
		"2012/b/FlumeData.18.tmp":     "",
		"2012/b/FlumeData.19":         "done\n",
		"2012/b/FlumeData.19.tmp":     "other\n", // its name is taken
		"2012/b/FlumeData.x.tmp":      "not ours\n",
		"2012/b/Other.20.tmp":         "not ours\n",
		"2012/FlumeData.21.tmp":       "without host\n",
		"FlumeData.23.tmp":            "not where we write\n",
		"2012/b/FlumeData.22.tmp/x":   "a directory\n",
		"2012/b/deeper/FlumeData.tmp": "too deep\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, "hdfs.path", "file://"+dir+"/%Y/%{host}")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2012/FlumeData.21: without host",
		"2012/a/FlumeData.17: whole",
		"2012/b/FlumeData.19: done",
		"2012/b/FlumeData.20: other",
		"2012/b/FlumeData.22.tmp/x: a directory",
		"2012/b/FlumeData.x.tmp: not ours",
		"2012/b/Other.20.tmp: not ours",
		"2012/b/deeper/FlumeData.tmp: too deep",
		"FlumeData.23.tmp: not where we write",
	}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
