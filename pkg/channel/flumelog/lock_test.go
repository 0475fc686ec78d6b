package flumelog_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel/flumelog"
	"github.com/flumekit/flumekit/pkg/fault"
)

// TestMain lets the test's program be, in a process of its own, an agent that
// holds Flume's lock until its input ends.
func TestMain(m *testing.M) {
	name := os.Getenv("FLUMELOG_TEST_LOCK")
	if name == "" {
		os.Exit(m.Run())
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err == nil {
		err = syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("locked\n")
	io.Copy(io.Discard, os.Stdin)
}

// agent starts a process that locks a directory, and returns what it says and how to
// end it.
func agent(t *testing.T, dir string) (said string, stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FLUMELOG_TEST_LOCK="+filepath.Join(dir, "in_use.lock"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, _ = bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(said), func() {
		in.Close()
		cmd.Wait()
	}
}

func TestLock(t *testing.T) {
	dir := unpack(t, "dirs")
	o := options(t, dir)
	for _, locked := range []string{o.DataDirs[1], o.CheckpointDir} {
		t.Run("a running agent is noticed in "+filepath.Base(locked), func(t *testing.T) {
			said, stop := agent(t, locked)
			defer stop()
			if said != "locked" {
				t.Fatal(said)
			}
			_, err := flumelog.Open(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), locked+" is locked") {
				t.Fatalf("got %v; want that %s is locked", err, locked)
			}
			if lines := strings.Join(fault.Lines(err), "\n"); !strings.Contains(lines, "hint: stop the agent first") {
				t.Errorf("got %q; want a hint to stop the agent", lines)
			}
		})
	}
	t.Run("no agent can start while the channel is read", func(t *testing.T) {
		c := open(t, o)
		said, stop := agent(t, o.DataDirs[0])
		stop()
		if said == "locked" {
			t.Error("the agent got the lock")
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if said, stop = agent(t, o.DataDirs[0]); said != "locked" {
			t.Errorf("after Close the agent says %q", said)
		}
		stop()
	})
	t.Run("a lock that was not there is removed", func(t *testing.T) {
		name := filepath.Join(o.CheckpointDir, "in_use.lock")
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		c := open(t, o)
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("got %v; want that %s is gone", err, name)
		}
	})
	t.Run("the directories can be moved aside while they are locked", func(t *testing.T) {
		c := open(t, o)
		for _, dir := range c.Dirs() {
			if err := os.Rename(dir, dir+".imported"); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
