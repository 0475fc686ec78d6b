// Package commandtest runs the four commands as they are, built as executables,
// for the tests of cmd: testscript files and crash tests.
//
// A script (testdata/*.txtar) has the commands on its PATH, and flume-ng, which
// is fctl. The PATH without them is in BARE. Besides what testscript knows there
// are:
//
//	waitfor FILE REGEXP [COUNT]  wait until FILE, or the files in that directory,
//	                             match so many times, once if it is not said
//	replace FILE OLD NEW …       replace words in a file
//	freeport VAR                 set VAR to a port that nobody listens on
//	listen VAR                   listen on a port until the end, and set VAR to it
//	send ADDRFILE TEXT…          send lines to the TCP address that stands in
//	                             ADDRFILE, and print the answers, one for each line
//	exec telnet PORT             send standard input to a port of this machine,
//	                             and print what is answered
//	signal TERM NAME             send a signal to the process of the component NAME,
//	                             or to the one whose ID is in the file NAME
//	gone NAME…                   wait until components have no processes, two
//	                             seconds at most
//
// With go test -update, what a script compares standard output and error with
// is rewritten.
package commandtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// What has to happen is looked for every pause. It may take as long as patience,
// which is waited out only where a test fails.
const (
	patience = 60 * time.Second
	pause    = 10 * time.Millisecond
)

var update = flag.Bool("update", false, "rewrite what the scripts compare with")

// executables are the commands of this test binary: they are built when the
// first test asks for them.
var executables struct {
	once sync.Once
	dir  string
	err  error
}

// Main runs the tests of a package and removes the executables at the end. It
// is what TestMain calls, and does not return.
func Main(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"telnet": telnet})
}

// tests are tests that remove the executables after them.
type tests struct{ *testing.M }

func (ts tests) Run() int {
	// Where the tests themselves were started with signals ignored (nohup, a
	// shell's background job), the commands are to begin without that.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	defer func() { os.RemoveAll(executables.dir) }()
	return ts.M.Run()
}

// Dir builds the four commands, once, and returns the directory they are in.
func Dir(t testing.TB) string {
	t.Helper()
	executables.once.Do(func() { executables.dir, executables.err = build() })
	if executables.err != nil {
		t.Fatalf("building the commands: %v", executables.err)
	}
	return executables.dir
}

// build builds the commands in a new directory, which it returns also if that
// fails.
func build() (string, error) {
	dir, err := os.MkdirTemp("", "flumekit-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", dir + "/"}
	if raceEnabled {
		args = append(args, "-race")
	}
	for _, name := range []string{"fsrc", "fchan", "fsink", "fctl"} {
		args = append(args, "github.com/flumekit/flumekit/cmd/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, out)
	}
	return dir, os.Symlink("fctl", filepath.Join(dir, "flume-ng"))
}

// Scripts runs the scripts of testdata.
func Scripts(t *testing.T) {
	dir := Dir(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Cmds:                scriptCommands,
		Setup: func(env *testscript.Env) error {
			// The path of a socket in the script's own directory may be too long.
			short, err := os.MkdirTemp("/tmp", "script-")
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(short) })
			env.Setenv("TMPDIR", short)
			env.Setenv("BARE", env.Getenv("PATH"))
			env.Setenv("PATH", dir+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
	})
}

// Until waits until done reports true, and fails t if that takes too long.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	if !until(done) {
		t.Fatalf("waited %v in vain until %s", patience, what)
	}
}

func until(done func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pause) {
		if done() {
			return true
		}
	}
	return done()
}
