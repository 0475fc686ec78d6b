package agent

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// chain is a source, a memory channel and a sink.
const chain = `
a1.channels = c1
a1.sources = r1
a1.sinks = k1
a1.channels.c1.type = memory
a1.channels.c1.journal = JOURNAL
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
a1.sinks.k1.journal = JOURNAL
a1.sources.r1.type = netcat
a1.sources.r1.channels = c1
a1.sources.r1.journal = JOURNAL
`

func TestOrder(t *testing.T) {
	p := run(t, chain+`
a1.channels = c1 c2
a1.channels.c2.type = file
a1.channels.c2.journal = JOURNAL
a1.channels.c1.drain = true
`, 0)
	p.expectAll("c1 started", "c2 started")
	p.expectAll("k1 started", "r1 started")
	p.stop()
	p.expectStop("r1", "c1")
	draining := p.holdAlive()
	if draining.what != "draining" {
		t.Fatalf("got %s %s; want c1 draining", draining.name, draining.what)
	}
	if strings.Contains(p.logs.String(), "Stopping Sink k1") {
		t.Errorf("the sink is stopped before the channel is empty")
	}
	close(draining.read)
	p.expectStop("k1", "c2")
	if err := p.wait(); err != nil {
		t.Errorf("got %v; want an orderly end", err)
	}
	want := []string{
		"Starting Channel c1", "Starting Channel c2",
		"Component type: CHANNEL, name: c1 started", "Component type: CHANNEL, name: c2 started",
		"Starting Sink k1", "Starting Source r1",
		"Stopping Source r1", "Stopping Channel c1", "Component type: CHANNEL, name: c1 stopped",
		"Stopping Sink k1", "Stopping Channel c2", "Component type: CHANNEL, name: c2 stopped",
	}
	rest := p.logs.String()
	for _, w := range want {
		_, after, ok := strings.Cut(rest, `"message":"`+w+`"`)
		if !ok {
			t.Fatalf("the log has no %q in its place:\n%s", w, p.logs)
		}
		rest = after
	}
}

func TestRestart(t *testing.T) {
	p := run(t, chain, 0)
	p.expect("c1 started")
	p.expectAll("k1 started", "r1 started")
	for _, name := range []string{"r1", "k1", "c1"} {
		killed := p.pids[name]
		began := time.Now()
		if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.expectAll(name+" ended", name+" started")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s was back after %v; want 2 s at most", name, took)
		}
		if p.pids[name] == killed {
			t.Errorf("%s has the same process", name)
		}
	}
	p.stop()
	p.expectStop("r1", "c1", "k1")
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(p.logs.String(), "signal: killed"); got != 3 {
		t.Errorf("the log tells %d times of a killed process; want 3:\n%s", got, p.logs)
	}
}

func TestEnds(t *testing.T) {
	t.Run("a source that has come to its end is left at that", func(t *testing.T) {
		p := run(t, chain+"a1.sources.r1.end = 0\n", 0)
		p.expect("c1 started")
		p.expectAll("k1 started", "r1 started", "r1 ended")
		// The sink's second start is after any that the source would have.
		syscall.Kill(p.pids["k1"], syscall.SIGTERM)
		p.expect("k1 stopping")
		p.expectAll("k1 ended", "k1 started")
		p.stop()
		p.expectStop("c1", "k1")
		if err := p.wait(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(p.logs.String(), "Source r1 has come to its end") {
			t.Errorf("the log does not say so:\n%s", p.logs)
		}
	})
	t.Run("a source whose input cannot be read twice is left when it has failed", func(t *testing.T) {
		p := run(t, chain+"a1.sources.r1.type = exec\na1.sources.r1.end = 1\na1.sources.r1.error = the command failed\na1.sources.r1.hint = mend it\n", 0)
		p.expect("c1 started")
		p.expectAll("k1 started", "r1 started", "r1 ended")
		syscall.Kill(p.pids["k1"], syscall.SIGTERM)
		p.expect("k1 stopping")
		p.expectAll("k1 ended", "k1 started")
		p.stop()
		p.expectStop("c1", "k1")
		if err := p.wait(); err != nil {
			t.Error(err)
		}
		if want := `"error":"the command failed; at: `; !strings.Contains(p.logs.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, p.logs)
		}
	})
	t.Run("a component that cannot start ends the agent", func(t *testing.T) {
		p := run(t, chain+"a1.sources.r1.end = 1\na1.sources.r1.error = listening on :44444: address in use\na1.sources.r1.hint = take another port\n", 0)
		go p.skip()
		err := p.wait()
		want := "error: listening on :44444: address in use|at: flume.conf:10: a1.sources.r1.type|hint: take another port"
		if got := strings.Join(fault.Lines(err), "|"); got != want || fault.Status(err) != fault.Failed {
			t.Errorf("got status %d, %s\nwant status 1, %s", fault.Status(err), got, want)
		}
	})
	t.Run("a bad configuration is one", func(t *testing.T) {
		p := run(t, chain+"a1.channels.c1.end = 2\na1.channels.c1.error = unknown flag --capcity\na1.channels.c1.hint = none\n", 0)
		go p.skip()
		err := p.wait()
		if fault.Status(err) != fault.Config {
			t.Errorf("got status %d (%v); want %d", fault.Status(err), err, fault.Config)
		}
	})
	t.Run("a component that failed later is tried again", func(t *testing.T) {
		once := filepath.Join(t.TempDir(), "once")
		p := run(t, chain+"a1.sinks.k1.end = 75\na1.sinks.k1.end-once = "+once+"\n", 0)
		p.expect("c1 started")
		p.expectAll("k1 started", "r1 started", "k1 ended", "k1 started")
		p.stop()
		p.expectStop("r1", "c1", "k1")
		if err := p.wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestStop(t *testing.T) {
	t.Run("a deaf process is asked again and killed", func(t *testing.T) {
		p := run(t, chain+"a1.channels.c1.deaf = true\n", time.Millisecond)
		p.expect("c1 started")
		p.expectAll("k1 started", "r1 started")
		p.stop()
		p.expectStop("r1")
		for _, want := range []string{"heard", "heard again"} {
			e := p.holdAlive()
			if e.name != "c1" || e.what != want {
				t.Fatalf("got %s %s; want c1 %s", e.name, e.what, want)
			}
			close(e.read)
		}
		p.expectStop("k1")
		p.expectGone("c1")
		if err := p.wait(); err == nil || !strings.Contains(err.Error(), "channel c1 was ended before it was empty") {
			t.Errorf("got %v; want what was lost", err)
		}
	})
	t.Run("at once when it is asked for again", func(t *testing.T) {
		p := run(t, chain+"a1.sources.r1.deaf = true\n", time.Hour)
		p.expect("c1 started")
		p.expectAll("k1 started", "r1 started")
		p.stop()
		p.expect("r1 heard")
		p.abort()
		if err := p.wait(); err == nil {
			t.Error("got nil; want what was lost")
		}
	})
	t.Run("while a channel is starting", func(t *testing.T) {
		p := run(t, chain+"a1.channels.c1.journal = /nowhere\n", 0)
		p.stop()
		if err := p.wait(); err != nil && !strings.Contains(err.Error(), "c1") {
			t.Error(err)
		}
	})
}

func TestKilledSupervisor(t *testing.T) {
	j := newJournal(t)
	file := filepath.Join(t.TempDir(), "flume.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(chain, "JOURNAL", j.path)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], file)
	cmd.Env = append(os.Environ(), role+"=supervisor")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(strings.TrimSpace(dir)) })
	j.expect("c1 started")
	j.expectAll("k1 started", "r1 started")
	began := time.Now()
	cmd.Process.Kill()
	cmd.Wait()
	j.expectAll("c1 ended", "k1 ended", "r1 ended")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the last process ended after %v; want 2 s at most", took)
	}
}

func TestSecret(t *testing.T) {
	const secret = "hunter2-in-the-clear"
	p := run(t, chain+"a1.sinks.k1.password = "+secret+"\n", 0)
	p.expect("c1 started")
	p.expectAll("k1 started", "r1 started")
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(p.pids["k1"]) + "/" + name)
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("there is no /proc here")
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 || strings.Contains(string(text), secret) {
			t.Errorf("%s has the secret, or nothing: %q", name, text)
		}
	}
	p.stop()
	p.expectStop("r1", "c1", "k1")
	if err := p.wait(); err != nil {
		t.Error(err)
	}
}

func TestOutput(t *testing.T) {
	p := run(t, chain+`
a1.sinks.k1.stdout = one\ntwo\nno end
a1.sinks.k1.stderr = {"level":"info","message":"from the sink"}\nsomething else\n
`, 0)
	p.expect("c1 started")
	p.expectAll("k1 started", "r1 started")
	p.stop()
	p.expectStop("r1", "c1", "k1")
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	if got, want := p.stdout.String(), "one\ntwo\nno end\n"; got != want {
		t.Errorf("stdout: got %q; want %q", got, want)
	}
	for _, want := range []string{
		`{"level":"info","message":"from the sink"}` + "\n",
		`{"level":"warn","logger":"node.Application","name":"k1","message":"something else"}` + "\n",
	} {
		if !strings.Contains(p.logs.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, p.logs)
		}
	}
}
