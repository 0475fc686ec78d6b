package main_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flumekit/flumekit/cmd/commandtest"
	"github.com/flumekit/flumekit/pkg/channel"
)

// readOnly makes a directory one that cannot be written, or skips the test.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("skipped: nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

// TestReadOnlyDisk looks into channels that were closed, killed and never used, on a
// disk that cannot be written; several may at once.
func TestReadOnlyDisk(t *testing.T) {
	disk := t.TempDir()
	closed, killed, empty := filepath.Join(disk, "closed"), filepath.Join(disk, "killed"), filepath.Join(disk, "empty")
	for dir, last := range map[string]int{closed: 1000, killed: 1000, empty: 0} {
		in := lines(t, filepath.Join(t.TempDir(), "in"), 1, last)
		put := command(t, "fchan", "put", dir)
		pipeline(t, in, nil, put)
		in.Close()
		if err := put.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(killed, "sock")
	owner := command(t, "fchan", "file", killed, "--listen", "unix:"+filepath.Join(t.TempDir(), "s"))
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	commandtest.Until(t, "the owner answers", func() bool {
		_, _, status := output(t, "fchan", "stat", "unix:"+socket)
		return status == 0
	})
	if got, said, status := output(t, "fchan", "take", killed, "--once", "--format", "json"); status != 0 || strings.Count(got, "\n") != 1000 {
		t.Fatalf("taking from the owner: status %d: %s", status, said)
	}
	in := lines(t, filepath.Join(t.TempDir(), "in"), 1, 7)
	put := command(t, "fchan", "put", killed)
	pipeline(t, in, nil, put)
	in.Close()
	if err := put.Wait(); err != nil {
		t.Fatal(err)
	}
	owner.Process.Kill()
	owner.Wait()

	readOnly(t, disk)
	another, err := channel.LookDir(closed)
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	for dir, want := range map[string]struct {
		held   string
		events int
	}{closed: {"1,000 events", 1000}, killed: {"7 events", 7}, empty: {"0 events", 0}} {
		for _, look := range []string{"stat", "verify"} {
			got, said, status := output(t, "fchan", look, dir)
			if status != 0 || !strings.Contains(got, "held      "+want.held) {
				t.Errorf("%s %s: status %d: %s%s; want %s held", look, dir, status, got, said, want.held)
			}
		}
		for _, look := range [][]string{{"export", dir}, {"peek", dir, "--first", "0", "--json"}} {
			got, said, status := output(t, "fchan", look...)
			if status != 0 || strings.Count(got, "\n") != want.events {
				t.Errorf("%v: status %d, %d events: %s; want %d", look, status, strings.Count(got, "\n"), said, want.events)
			}
		}
	}
	for _, write := range [][]string{{"purge", killed, "--yes"}, {"take", killed, "--once"}, {"file", killed}} {
		_, said, status := output(t, "fchan", write...)
		if status == 0 || !strings.Contains(said, "read-only file system") {
			t.Errorf("%v: status %d: %s; want to hear of a read-only file system", write, status, said)
		}
	}
}
