package flumelog_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel/flumelog"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/jceks"
)

// unpack unpacks a channel that Flume made and returns its directory.
func unpack(t testing.TB, state string) string {
	t.Helper()
	file, err := os.Open("testdata/" + state + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return filepath.Join(dir, state)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(name, 0o755)
		} else if data, e := io.ReadAll(r); e == nil {
			err = os.WriteFile(name, data, 0o644)
		} else {
			err = e
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// options are those of an unpacked channel.
func options(t testing.TB, dir string) flumelog.Options {
	t.Helper()
	data, err := filepath.Glob(filepath.Join(dir, "data*"))
	if err != nil || len(data) == 0 {
		t.Fatalf("%s has no data directories: %v", dir, err)
	}
	o := flumelog.Options{DataDirs: data, Keys: keys(dir)}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err == nil {
		o.CheckpointDir = filepath.Join(dir, "checkpoint")
	}
	if _, err := os.Stat(filepath.Join(dir, "backup")); err == nil {
		o.BackupCheckpointDir = filepath.Join(dir, "backup")
	}
	return o
}

func keys(dir string) func(string) ([]byte, error) {
	return func(alias string) ([]byte, error) {
		file, err := os.Open(filepath.Join(dir, "keys.jceks"))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		store, err := jceks.Read(file, []byte("storePassword"))
		if err != nil {
			return nil, err
		}
		password := map[string]string{"key-1": "keyPassword1", "key-2": "storePassword"}[alias]
		_, key, err := store.SecretKey(alias, []byte(password))
		return key, err
	}
}

func open(t testing.TB, o flumelog.Options) *flumelog.Channel {
	t.Helper()
	c, err := flumelog.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// drain returns the events, a line each as the Java program prints them, and the damage.
func drain(t testing.TB, c *flumelog.Channel) (lines []string, damage []*flumelog.Damage) {
	t.Helper()
	for e, err := range c.Events() {
		var d *flumelog.Damage
		switch {
		case errors.As(err, &d):
			damage = append(damage, d)
		case err != nil:
			t.Fatal(err)
		default:
			lines = append(lines, line(e))
		}
	}
	return lines, damage
}

func line(e event.Event) string {
	headers := maps.Collect(e.Headers.All())
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(&b, "%x=%x ", key, headers[key])
	}
	fmt.Fprintf(&b, "%d %08x", len(e.Body), crc32.ChecksumIEEE(e.Body))
	printable := !bytes.ContainsFunc(e.Body, func(r rune) bool { return r < ' ' || r > '~' })
	if printable && len(e.Body) > 0 && len(e.Body) <= 40 {
		fmt.Fprintf(&b, " %s", e.Body)
	}
	return b.String()
}

func wanted(t testing.TB, dir string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "want"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for l := range strings.Lines(string(data)) {
		lines = append(lines, strings.TrimSuffix(l, "\n"))
	}
	return lines
}

func compare(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %d events:\n%s\nwant %d:\n%s", len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
	}
}

// content returns the names and contents of all files below a directory.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestEvents holds that the events are those that Flume itself delivers after
// a restart, that they can be read twice, and that nothing is changed by it.
func TestEvents(t *testing.T) {
	for _, test := range []struct {
		state  string
		start  string
		head   int // so many events stand first in the order of a Java hash table
		put    int // so do three from here on
		again  int // so many events at the head Flume delivers though they were taken
		damage int
	}{
		{state: "plain", start: "the checkpoint"},
		{state: "closed", start: "the checkpoint"},
		{state: "empty", start: "the checkpoint"},
		{state: "logs", start: "the checkpoint"},
		{state: "nocheckpoint", start: "the first record"},
		{state: "badcheckpoint", start: "the first record"},
		{state: "dirs", start: "the checkpoint"},
		{state: "dirsnocheckpoint", start: "the first record"},
		{state: "inflight", start: "the checkpoint", head: 3, put: 10},
		{state: "retaken", start: "the checkpoint", head: 3, again: 2},
		{state: "dual", start: "the checkpoint"},
		{state: "dualsnappy", start: "the checkpoint"},
		{state: "encrypted", start: "the checkpoint"},
		{state: "noop", start: "the checkpoint", damage: 1},
		{state: "version2", start: "the first record"},
		{state: "version2checkpoint", start: "the checkpoint"},
	} {
		t.Run(test.state, func(t *testing.T) {
			dir := unpack(t, test.state)
			before := content(t, dir)
			want := wanted(t, dir)
			if len(want) == 0 && test.state != "empty" {
				t.Fatal("the state has no events")
			}
			c, err := flumelog.Open(t.Context(), options(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(c.Start(), test.start) {
				t.Errorf("the replay started at %s; want %s", c.Start(), test.start)
			}
			for range 2 {
				got, damage := drain(t, c)
				if len(damage) != test.damage {
					t.Errorf("got damage %v; want %d", damage, test.damage)
				}
				slices.Sort(want[:test.head])
				slices.Sort(got[:test.head-test.again])
				if test.put > 0 {
					slices.Sort(want[test.put : test.put+3])
				}
				if test.again > 0 {
					if len(got) != len(want)-test.again {
						t.Fatalf("got %d events; want %d", len(got), len(want)-test.again)
					}
					want = slices.DeleteFunc(want, func(l string) bool { return !slices.Contains(got, l) })
					test.head, test.again = test.head-test.again, 0
				}
				compare(t, got, want)
				if c.Len() != len(want)+test.damage && c.Len() != len(want) {
					t.Errorf("Len is %d; want %d", c.Len(), len(want))
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := c.Close(); err != nil {
				t.Errorf("closing again: %v", err)
			}
			if !maps.Equal(before, content(t, dir)) {
				t.Error("the directories were changed")
			}
		})
	}
}
