package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts compare with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"fctl":     main,
		"flume-ng": main,
		"telnet":   telnet,
	})
}

// telnet sends its standard input to a port of this machine, once somebody
// listens there, and prints what is answered.
func telnet() {
	address := net.JoinHostPort("localhost", os.Args[1])
	conn, err := net.Dial("tcp", address)
	for deadline := time.Now().Add(patience); err != nil; conn, err = net.Dial("tcp", address) {
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		time.Sleep(pause)
	}
	go func() {
		io.Copy(conn, os.Stdin)
		conn.(*net.TCPConn).CloseWrite()
	}()
	if _, err := io.Copy(os.Stdout, conn); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	patience = 60 * time.Second      // with what a script waits for
	pause    = 10 * time.Millisecond // between two looks
)

// TestScripts runs testdata/*.txtar. Those that start an agent run the other
// commands as they are built.
func TestScripts(t *testing.T) {
	programs := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("BARE", env.Getenv("PATH"))
			env.Setenv("PATH", env.Getenv("PATH")+":"+programs)
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("TMPDIR", "/tmp") // a short one
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort,
			"listen":   listen,
			"waitfor":  waitFor,
			"signal":   signalProcess,
			"gone":     gone,
			"replace":  replace,
		},
	})
}

// build builds the commands that fctl runs and returns where they are.
func build(t *testing.T) string {
	dir := t.TempDir()
	args := []string{"build", "-o", dir}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../fsrc", "../fchan", "../fsink")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building fsrc, fchan and fsink: %v\n%s", err, out)
	}
	return dir
}

// freePort sets a variable to a port that nobody listens on: freeport VAR
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "localhost:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv(args[0], port)
}

// listen listens on a port, until the script's end, and sets a variable to it:
// listen VAR
func listen(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "localhost:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// replace replaces words in a file: replace FILE OLD NEW …
func replace(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	text := strings.NewReplacer(args[1:]...).Replace(ts.ReadFile(file))
	ts.Check(os.WriteFile(file, []byte(text), 0o600))
}

// waitFor waits until a file, or the files in a directory, have so many lines that
// match, one if it is not said: waitfor FILE REGEXP [COUNT]
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[1])
	count := 1
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		count = n
	}
	var text []byte
	await(ts, func() bool {
		text = nil
		files, _ := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*"))
		for _, file := range append(files, ts.MkAbs(args[0])) {
			part, _ := os.ReadFile(file)
			text = append(text, part...)
		}
		return len(pattern.FindAll(text, -1)) >= count
	}, func() string { return fmt.Sprintf("%s has not %d times %s:\n%s", args[0], count, args[1], text) })
}

// await waits until done.
func await(ts *testscript.TestScript, done func() bool, complaint func() string) {
	for deadline := time.Now().Add(patience); !done(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s", complaint())
		}
	}
}

// signalProcess sends a signal to the process of a component, or to one whose ID
// is in a file: signal KILL c1, signal TERM fctl.pid
func signalProcess(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}
	if text, err := os.ReadFile(ts.MkAbs(args[1])); err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		ts.Check(err)
		ts.Check(syscall.Kill(pid, signals[args[0]]))
		return
	}
	var pids []int
	await(ts, func() bool {
		pids = processes(ts, args[1])
		return len(pids) == 1
	}, func() string { return fmt.Sprintf("%s has the processes %v; want one", args[1], pids) })
	ts.Check(syscall.Kill(pids[0], signals[args[0]]))
}

// gone waits until components have no processes, two seconds at most: gone NAME …
func gone(ts *testscript.TestScript, _ bool, args []string) {
	began := time.Now()
	for _, name := range args {
		await(ts, func() bool { return len(processes(ts, name)) == 0 },
			func() string { return name + " still has a process" })
	}
	if took := time.Since(began); took > 2*time.Second {
		ts.Fatalf("it took %v until the processes were gone; want 2 s at most", took)
	}
}

// processes returns those of a component of this script's agent.
func processes(ts *testscript.TestScript, name string) []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	ts.Check(err)
	var pids []int
	for _, dir := range dirs {
		line, err := os.ReadFile(dir + "/cmdline")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		ts.Check(err)
		words := strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
		cwd, _ := os.Readlink(dir + "/cwd")
		if i := slices.Index(words, "--name"); i > 0 && words[i+1] == name && cwd == ts.MkAbs(".") {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			pids = append(pids, pid)
		}
	}
	return pids
}
