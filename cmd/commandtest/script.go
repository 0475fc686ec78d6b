package commandtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// scriptCommands are what scripts know besides testscript's own commands.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"waitfor":  waitFor,
	"replace":  replace,
	"freeport": freePort,
	"listen":   listen,
	"send":     send,
	"signal":   signalProcess,
	"gone":     gone,
}

// await waits until done, and fails the script with a complaint if that takes
// too long.
func await(ts *testscript.TestScript, done func() bool, complaint func() string) {
	if !until(done) {
		ts.Fatalf("waited %v in vain: %s", patience, complaint())
	}
}

func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitfor FILE REGEXP [COUNT]")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	count := 1
	if len(args) == 3 {
		count, err = strconv.Atoi(args[2])
		ts.Check(err)
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

func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args)%2 == 0 {
		ts.Fatalf("usage: replace FILE OLD NEW …")
	}
	file := ts.MkAbs(args[0])
	text := strings.NewReplacer(args[1:]...).Replace(ts.ReadFile(file))
	ts.Check(os.WriteFile(file, []byte(text), 0o600))
}

func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport VAR")
	}
	ts.Check(listenAs(ts, args[0]).Close())
}

func listen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listen VAR")
	}
	l := listenAs(ts, args[0])
	ts.Defer(func() { l.Close() })
}

// listenAs listens on a port and sets a variable to it.
func listenAs(ts *testscript.TestScript, variable string) net.Listener {
	l, err := net.Listen("tcp", "localhost:0")
	ts.Check(err)
	ts.Setenv(variable, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	return l
}

func send(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: send ADDRFILE TEXT…")
	}
	var addr string
	await(ts, func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		addr = strings.TrimSpace(string(text))
		return err == nil && addr != ""
	}, func() string { return "there is no address in " + args[0] })
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

// telnet is a command of its own, so that the shell has it too. It waits until
// somebody listens.
func telnet() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: telnet PORT")
		os.Exit(2)
	}
	var conn net.Conn
	var err error
	if !until(func() bool {
		conn, err = net.Dial("tcp", net.JoinHostPort("localhost", os.Args[1]))
		return err == nil
	}) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
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

func signalProcess(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || unix.SignalNum("SIG"+args[0]) == 0 {
		ts.Fatalf("usage: signal TERM|KILL|… NAME")
	}
	var pids []int
	if text, err := os.ReadFile(ts.MkAbs(args[1])); err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		ts.Check(err)
		pids = []int{pid}
	} else {
		await(ts, func() bool {
			pids = processes(ts, args[1])
			return len(pids) == 1
		}, func() string { return fmt.Sprintf("%s has the processes %v; want one", args[1], pids) })
	}
	ts.Check(unix.Kill(pids[0], unix.SignalNum("SIG"+args[0])))
}

func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: gone NAME…")
	}
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
		if i := slices.Index(words, "--name"); i > 0 && i+1 < len(words) && words[i+1] == name && cwd == ts.MkAbs(".") {
			pid, err := strconv.Atoi(filepath.Base(dir))
			ts.Check(err)
			pids = append(pids, pid)
		}
	}
	return pids
}
