package sinktest

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Alone runs the rest of a test in a process of its own, whose limits it may
// change. It reports whether this is that process; if not, all is done. The test
// is not a subtest.
func Alone(t *testing.T) bool {
	t.Helper()
	const mark = "SINKTEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), mark+"="+t.Name())
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// FillDisk has the kernel refuse whatever would make a file longer than most
// bytes; it takes the part that fits, as a disk does that gets full. It does so to
// the whole process: see Alone.
func FillDisk(t *testing.T, most int) (mend func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	set(&limit.Cur, most)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
	}
}

// set sets a limit, whose type is the system's.
func set[L int64 | uint64](limit *L, n int) { *limit = L(n) }
