// Package commandtest runs the four commands as they are, built as executables,
// for the tests of cmd: testscript files and crash tests.
//
// A script (testdata/*.txtar) has the commands on its PATH, and besides what
// testscript knows:
//
//	waitfor FILE REGEXP   wait until the file's content matches
//	send ADDRFILE TEXT…   send lines to the TCP address that stands in ADDRFILE,
//	                      and print the answers, one for each line
package commandtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long anything that must happen may take. It is never waited
// out unless a test fails.
const patience = 60 * time.Second

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "flumekit-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", dir + "/"}
	if raceEnabled {
		args = append(args, "-race")
	}
	for _, name := range []string{"fsrc", "fchan", "fsink"} {
		args = append(args, "github.com/flumekit/flumekit/cmd/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("building the commands: %w\n%s", err, out)
	}
	return dir, nil
})

// Main runs the tests of a package and removes the executables at the end. It
// is what TestMain calls.
func Main(m *testing.M) {
	status := m.Run()
	if dir, err := build(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

// Dir builds the four commands, once, and returns the directory they are in.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Scripts runs the scripts of testdata.
func Scripts(t *testing.T) {
	dir := Dir(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", dir+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("TMPDIR", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfor": waitFor,
			"send":    send,
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
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return done()
}

func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var text []byte
	if !until(func() bool {
		text, _ = os.ReadFile(ts.MkAbs(args[0]))
		return want.Match(text)
	}) {
		ts.Fatalf("waited %v in vain for %s in %s, which has:\n%s", patience, args[1], args[0], text)
	}
}

func send(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: send ADDRFILE TEXT…")
	}
	var addr string
	if !until(func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		addr = strings.TrimSpace(string(text))
		return err == nil && addr != ""
	}) {
		ts.Fatalf("waited %v in vain for %s", patience, args[0])
	}
	conn, err := net.Dial("tcp", addr)
	ts.Check(err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	_, err = conn.Write([]byte(strings.Join(args[1:], "\n") + "\n"))
	ts.Check(err)
	answers := bufio.NewReader(conn)
	for range args[1:] {
		answer, err := answers.ReadString('\n')
		fmt.Fprint(ts.Stdout(), answer)
		ts.Check(err)
	}
}
