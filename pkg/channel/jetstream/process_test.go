package jetstream_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// The processes that are killed: this test's own executable, started with these
// in its environment.
const (
	victim     = "FLUMEKIT_TEST_VICTIM"
	victimArgs = "FLUMEKIT_TEST_VICTIM_ARGS"
)

func TestMain(m *testing.M) {
	args := os.Getenv(victimArgs)
	var err error
	switch os.Getenv(victim) {
	case "":
		goleak.VerifyTestMain(m)
		return
	case "edge":
		var dir, url string
		var from int
		fmt.Sscan(args, &dir, &url, &from)
		err = edgeVictim(dir, url, from)
	case "node":
		err = node(args)
	case "taker":
		err = takerVictim(args)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// launch starts a process that does what role says, and returns what it writes.
// It is killed when the test ends at the latest.
func launch(t testing.TB, role, args string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), victim+"="+role, victimArgs+"="+args)
	process.Stderr = os.Stderr
	said, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	return process, bufio.NewScanner(said)
}
