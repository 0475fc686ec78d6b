package agent

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// The test binary is run again as each process of a topology, and as the
// supervisor that is killed.
const role = "AGENT_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "component":
		os.Exit(componentMain(os.Args))
	case "supervisor":
		supervisorMain(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// componentMain is a component whose properties say how it behaves. It dials the
// journal for as long as it lives, and tells it what it does.
func componentMain(args []string) int {
	program, flags := args[0], make(map[string]string)
	for i := 2; i < len(args)-1; i += 2 {
		flags[args[i]] = args[i+1]
	}
	text, err := os.ReadFile(flags["--properties"])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	props, err := flumeconf.Parse("properties", strings.NewReader(string(text)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	prop := make(map[string]string)
	for _, p := range props {
		prop[p.Key] = p.Value
	}
	go func() {
		io.Copy(io.Discard, os.Stdin) // the lifeline
		os.Exit(4)
	}()
	terms := make(chan os.Signal, 2)
	signal.Notify(terms, syscall.SIGTERM)
	if address, ok := strings.CutPrefix(flags["--listen"], "unix:"); ok {
		if _, err := net.Listen("unix", address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	journal, err := net.Dial("unix", prop["journal"])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintf(journal, "%s %d\n", flags["--name"], os.Getpid())
	answer := bufio.NewScanner(journal)
	say := func(what string) {
		fmt.Fprintln(journal, what)
		answer.Scan() // it has been read
	}
	say("started")
	os.Stdout.WriteString(prop["stdout"])
	os.Stderr.WriteString(prop["stderr"])
	if once := prop["end-once"]; once != "" {
		if err := os.Mkdir(once, 0o700); err != nil {
			delete(prop, "end")
		}
	}
	if status, ok := prop["end"]; ok {
		if message := prop["error"]; message != "" {
			fmt.Fprintf(os.Stderr, "%s: error: %s\n%[1]s: hint: %[3]s\n", program, message, prop["hint"])
		}
		n, _ := strconv.Atoi(status)
		return n
	}
	<-terms
	if prop["deaf"] == "true" {
		say("heard")
		<-terms
		say("heard again")
		select {}
	}
	say("stopping")
	if prop["drain"] != "" {
		say("draining")
	}
	return 0
}

// supervisorMain runs the topology of a file until it is killed.
func supervisorMain(file string) {
	f, err := flumeconf.Load(file)
	if err != nil {
		panic(err)
	}
	a, err := f.Agent("a1")
	if err != nil {
		panic(err)
	}
	dir, err := NewRunDir()
	if err != nil {
		panic(err)
	}
	fmt.Println(dir)
	os.Setenv(role, "component")
	plan := NewPlan(a, dir, traits)
	panic(Run(context.Background(), context.Background(), plan, Options{Locate: thisBinary, Stdout: os.Stdout, Logs: io.Discard}))
}

func thisBinary(string) (string, error) { return os.Executable() }

func traits(c *flumeconf.Component) Traits {
	return Traits{Forgets: c.Type == "memory", Final: c.Type == "exec"}
}

// journal is what the processes of a topology do, in order.
type journal struct {
	t       *testing.T
	path    string
	entries chan entry
	pids    map[string]int
}

// entry is one thing that the process of a component does; the process goes on
// when read is closed.
type entry struct {
	name string
	pid  int
	what string
	read chan struct{}
}

func newJournal(t *testing.T) *journal {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	j := &journal{t: t, path: dir + "/sock", entries: make(chan entry, 100), pids: make(map[string]int)}
	l, err := net.Listen("unix", j.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go j.listen(conn)
		}
	}()
	return j
}

func (j *journal) listen(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	lines.Scan()
	name, pid, _ := strings.Cut(lines.Text(), " ")
	n, _ := strconv.Atoi(pid)
	for lines.Scan() {
		e := entry{name, n, lines.Text(), make(chan struct{})}
		j.entries <- e
		<-e.read
		fmt.Fprintln(conn)
	}
	j.entries <- entry{name, n, "ended", make(chan struct{})}
}

// next returns the next entry, within 10 seconds. The process that made it goes
// on at once.
func (j *journal) next() entry {
	j.t.Helper()
	e := j.hold()
	close(e.read)
	return e
}

// hold returns the next entry; the process waits until its read is closed.
func (j *journal) hold() entry {
	j.t.Helper()
	select {
	case e := <-j.entries:
		if e.what != "ended" {
			j.pids[e.name] = e.pid
		}
		return e
	case <-time.After(10 * time.Second):
		j.t.Fatal("nothing happened for 10 s")
		panic("unreachable")
	}
}

// holdAlive is hold for what a process says that runs: that one has ended is told at
// its own pace.
func (j *journal) holdAlive() entry {
	j.t.Helper()
	for {
		if e := j.hold(); e.what != "ended" {
			return e
		}
	}
}

// expect waits for entries such as "c1 started", in that order.
func (j *journal) expect(want ...string) {
	j.t.Helper()
	for _, w := range want {
		if e := j.next(); e.name+" "+e.what != w {
			j.t.Fatalf("got %s %s; want %s", e.name, e.what, w)
		}
	}
}

// expectAll waits for entries in any order.
func (j *journal) expectAll(want ...string) {
	j.t.Helper()
	for len(want) > 0 {
		e := j.next()
		i := slices.Index(want, e.name+" "+e.what)
		if i < 0 {
			j.t.Fatalf("got %s %s; want one of %q", e.name, e.what, want)
		}
		want = slices.Delete(want, i, i+1)
	}
}

// expectStop waits for the processes of the names to be asked to end, one after
// the other, each only when the one before it has ended.
func (j *journal) expectStop(names ...string) {
	j.t.Helper()
	for i, name := range names {
		e := j.holdAlive()
		if e.name != name || e.what != "stopping" {
			j.t.Fatalf("got %s %s; want %s stopping", e.name, e.what, name)
		}
		if i > 0 {
			j.expectGone(names[i-1])
		}
		close(e.read)
	}
}

// expectGone fails the test if the process of name runs, or has not been waited
// for.
func (j *journal) expectGone(name string) {
	j.t.Helper()
	if err := syscall.Kill(j.pids[name], 0); err != syscall.ESRCH {
		j.t.Errorf("%s is still there", name)
	}
}

// skip reads all entries, for tests to which they do not matter.
func (j *journal) skip() {
	for e := range j.entries {
		close(e.read)
	}
}

// topology is a running agent.
type topology struct {
	*journal
	stop   context.CancelFunc
	abort  context.CancelFunc
	result chan error
	stdout *syncBuffer
	logs   *syncBuffer
	dir    string
}

// run runs the topology in conf; JOURNAL in it is replaced.
func run(t *testing.T, conf string, grace time.Duration) *topology {
	t.Setenv(role, "component")
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each process ends a second late
	j := newJournal(t)
	props, err := flumeconf.Parse("flume.conf", strings.NewReader(strings.ReplaceAll(conf, "JOURNAL", j.path)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := flumeconf.Merge(props).Agent("a1")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := NewRunDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &topology{journal: j, result: make(chan error, 1), stdout: new(syncBuffer), logs: new(syncBuffer), dir: dir}
	ctx, abort := context.WithCancel(zerolog.New(p.logs).WithContext(t.Context()))
	stop, ask := context.WithCancel(ctx)
	p.abort, p.stop = abort, ask
	go func() {
		p.result <- Run(ctx, stop, NewPlan(a, dir, traits), Options{
			Locate: thisBinary, Stdout: p.stdout, Logs: p.logs, Grace: cmp.Or(grace, 20*time.Second),
		})
	}()
	return p
}

// wait returns what Run returned.
func (p *topology) wait() error {
	p.t.Helper()
	select {
	case err := <-p.result:
		return err
	case <-time.After(20 * time.Second):
		p.t.Fatal("the agent has not ended after 20 s")
		return nil
	}
}

// syncBuffer holds what is written to it.
type syncBuffer struct {
	lockedWriter
	strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.String()
}

func TestProcessesShareTheCPUs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	t.Setenv("GOMAXPROCS", "")
	for _, tt := range []struct{ processes, want int }{{1, 16}, {3, 10}, {6, 5}, {100, 1}} {
		if got := share(tt.processes); got != tt.want {
			t.Errorf("each of %d processes has %d CPUs; want %d", tt.processes, got, tt.want)
		}
	}
	t.Setenv("GOMAXPROCS", "4")
	if got := share(3); got != 0 {
		t.Errorf("each process has %d CPUs where the user has said 4; want no bound", got)
	}
}
