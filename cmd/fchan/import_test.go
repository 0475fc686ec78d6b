package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"golang.org/x/sys/unix"
)

// flumeChannel unpacks a file channel that Flume has left, and returns its directory.
func flumeChannel(t *testing.T, state string) string {
	t.Helper()
	archive, err := filepath.Abs("../../pkg/channel/flumelog/testdata/" + state + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if text, err := exec.Command("tar", "-xzf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return filepath.Join(dir, state)
}

// output runs a command of ours and returns its output and its exit status.
func output(t *testing.T, name string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	c := command(t, name, args...)
	var out strings.Builder
	c.Stdout = &out
	c.Run()
	return out.String(), c.Stderr.(*channeltest.Log).String(), c.ProcessState.ExitCode()
}

// wantEvents checks that a channel holds the events that Flume would deliver: their
// bodies begin the lines of the file want.
func wantEvents(t *testing.T, flume, channel string, times int) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(flume, "want"))
	if err != nil {
		t.Fatal(err)
	}
	got, _, status := output(t, "fchan", "export", channel)
	if n := strings.Count(got, "\n"); status != 0 || n != times*strings.Count(string(want), "\n") {
		t.Errorf("%d events, status %d; want those of Flume, %d times:\n%s", n, status, times, want)
	}
}

func TestImportFromFlume(t *testing.T) {
	for _, state := range []string{"plain", "dirs", "dual", "inflight"} {
		t.Run(state, func(t *testing.T) {
			flume, channel := flumeChannel(t, state), filepath.Join(t.TempDir(), "c1")
			for n := range 2 { // what is left where it is can be imported again
				_, stderr, status := output(t, "fchan", "import", channel, "--from-flume", flume, "--keep")
				if status != 0 {
					t.Fatalf("status %d: %s", status, stderr)
				}
				wantEvents(t, flume, channel, n+1)
			}
			if _, stderr, status := output(t, "fchan", "import", channel, "--from-flume", flume); status != 0 {
				t.Fatalf("status %d: %s", status, stderr)
			}
			wantEvents(t, flume, channel, 3)
			_, stderr, status := output(t, "fchan", "import", channel, "--from-flume", flume)
			if status != 1 || !strings.Contains(stderr, "neither "+flume+" nor a directory in it is one of Flume's file channel") {
				t.Errorf("the files have been moved aside, and then: status %d: %s", status, stderr)
			}
			if logs, _ := filepath.Glob(filepath.Join(flume, "*", "imported-by-fchan", "log-*")); len(logs) == 0 {
				t.Error("Flume's logs are not where they should have been moved")
			}
		})
	}
}

// TestImportFromFlumeConfiguration reads an encrypted channel as Flume's own
// configuration has it.
func TestImportFromFlumeConfiguration(t *testing.T) {
	flume, channel := flumeChannel(t, "encrypted"), filepath.Join(t.TempDir(), "c1")
	properties, err := os.ReadFile(filepath.Join(flume, "properties"))
	if err != nil {
		t.Fatal(err)
	}
	conf := "a1.channels = c1 c2 c3\na1.channels.c1.type = FILE\na1.channels.c2.type = memory\na1.channels.c3.type = file\n"
	for line := range strings.Lines(string(properties)) {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		for _, path := range []string{"checkpointDir", "dataDirs", "File"} {
			if strings.HasSuffix(key, path) {
				value = filepath.Join(flume, value)
			}
		}
		conf += "a1.channels.c1." + key + " = " + value
		if !strings.HasSuffix(conf, "\n") {
			conf += "\n"
		}
	}
	file := filepath.Join(flume, "flume.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := output(t, "fchan", "import", channel, "--flume-conf", file)
	if status != 2 || !strings.Contains(stderr, "a1.c1, a1.c3") {
		t.Errorf("which one is not said: status %d: %s", status, stderr)
	}
	if _, stderr, status = output(t, "fchan", "import", channel, "--flume-conf", file, "--flume-channel", "a1.c1"); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	wantEvents(t, flume, channel, 1)
}

// TestImportRefusesARunningFlume holds Flume's lock as a running agent does.
func TestImportRefusesARunningFlume(t *testing.T) {
	flume, channel := flumeChannel(t, "plain"), filepath.Join(t.TempDir(), "c1")
	f, err := os.OpenFile(filepath.Join(flume, "data1", "in_use.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := output(t, "fchan", "import", channel, "--from-flume", flume)
	if status == 0 || !strings.Contains(stderr, "in_use.lock") && !strings.Contains(stderr, "running") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, err := os.Stat(channel); err == nil {
		t.Error("the channel was made all the same")
	}
}

// TestImportTakesNoMoreThanThereIsRoomFor would wait for ever: nobody takes.
func TestImportTakesNoMoreThanThereIsRoomFor(t *testing.T) {
	flume, channel := flumeChannel(t, "plain"), filepath.Join(t.TempDir(), "c1")
	_, stderr, status := output(t, "fchan", "import", channel, "--from-flume", flume, "--capacity", "5", "--transactionCapacity", "5")
	if status != 1 || !strings.Contains(stderr, "give it more: --capacity 9") {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if _, stderr, status := output(t, "fchan", "import", channel, "--from-flume", flume, "--capacity", strconv.Itoa(9), "--transactionCapacity", "5"); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	wantEvents(t, flume, channel, 1)
}

// TestImportGoesOnAfterAKill kills the command while it waits for room in the middle,
// and runs it again: nothing is lost, and what was put is there a second time.
func TestImportGoesOnAfterAKill(t *testing.T) {
	flume, dir := flumeChannel(t, "plain"), t.TempDir()
	channel, socket := filepath.Join(dir, "c1"), "unix:"+filepath.Join(dir, "s")
	serve := command(t, "fchan", "file", channel, "--listen", socket, "--capacity", "5", "--transactionCapacity", "5")
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	first := command(t, "fchan", "import", socket, "--from-flume", flume)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for held := ""; !strings.Contains(held, "5 of 5"); {
		held, _, _ = output(t, "fchan", "stat", socket)
	}
	first.Process.Signal(syscall.SIGKILL)
	first.Wait()
	serve.Process.Signal(syscall.SIGKILL)
	serve.Wait()
	if _, stderr, status := output(t, "fchan", "import", channel, "--from-flume", flume); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	got, _, _ := output(t, "fchan", "export", channel)
	if n := strings.Count(got, "\n"); n != 5+9 {
		t.Errorf("%d events are held; want the 5 that were put and all 9", n)
	}
}
