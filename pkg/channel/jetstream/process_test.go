package jetstream_test

import (
	"fmt"
	"os"
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
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
