package main_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flumekit/flumekit/cmd/commandtest"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
)

// command returns a command of ours that has not been started.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(filepath.Join(commandtest.Dir(t), name), args...)
	c.Stderr = new(channeltest.Log)
	t.Cleanup(func() {
		if c.Process != nil {
			c.Process.Kill()
			c.Wait()
		}
		if t.Failed() {
			t.Logf("%s: %s", strings.Join(c.Args, " "), c.Stderr)
		}
	})
	return c
}

// pipeline starts commands as a shell does; the first reads in, the last writes
// out.
func pipeline(t *testing.T, in, out *os.File, commands ...*exec.Cmd) {
	t.Helper()
	for i, c := range commands {
		c.Stdin = in
		c.Stdout = out
		var next *os.File
		if i < len(commands)-1 {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			next, c.Stdout = r, w
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			in.Close()
		}
		if next != nil {
			c.Stdout.(*os.File).Close()
			in = next
		}
	}
}

// lines writes the numbers from and up to to, a line each, to the file path.
func lines(t *testing.T, path string, from, to int) *os.File {
	t.Helper()
	var text []byte
	for n := from; n <= to; n++ {
		text = fmt.Appendln(text, n)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantAll checks that the numbers from 1 to n are in the file, each at least once.
func wantAll(t *testing.T, path string, n int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen, count := make([]bool, n+1), 0
	for line := range strings.Lines(string(text)) {
		number, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil || number < 1 || number > n {
			continue // a line that a killed writer tore
		}
		if !seen[number] {
			seen[number] = true
			count++
		}
	}
	if count != n {
		for number := 1; number <= n; number++ {
			if !seen[number] {
				t.Errorf("%d is the first of %d that are missing, of %d", number, n-count, n)
				break
			}
		}
	}
}

var committedLines = regexp.MustCompile(`committed (\d+) lines`)

// TestKilledInAPipeline kills fchan ten times and goes on each time from where
// the source stood acknowledged.
func TestKilledInAPipeline(t *testing.T) {
	const all = 300_000
	dir := t.TempDir()
	store, out := filepath.Join(dir, "channel"), filepath.Join(dir, "out")
	kills, done := 0, 0
	for done < all {
		in, to := lines(t, filepath.Join(dir, "in"), done+1, all), create(t, out)
		fsrc := command(t, "fsrc", "stdin", "--batchSize", "100")
		fchan := command(t, "fchan", "file", store, "--transactionCapacity", "300")
		fsink := command(t, "fsink", "stdout")
		pipeline(t, in, to, fsrc, fchan, fsink)
		in.Close()
		to.Close()
		var timer *time.Timer
		if kills < 10 {
			commandtest.Until(t, "the channel is open", func() bool {
				return strings.Contains(fchan.Stderr.(*channeltest.Log).String(), "channel file")
			})
			timer = time.AfterFunc(time.Duration(20+rand.IntN(100))*time.Millisecond, func() { fchan.Process.Kill() })
		}
		fsink.Wait()
		err := fchan.Wait()
		fsrc.Wait()
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			kills++
		}
		last := fsrc.Stderr.(*channeltest.Log).String()
		switch match := committedLines.FindStringSubmatch(last); {
		case match != nil:
			n, _ := strconv.Atoi(match[1])
			done += n
		case fsrc.ProcessState.Success():
			done = all
		case err == nil:
			t.Fatalf("fsrc failed by itself: %s", last)
		}
		if kills > 200 {
			t.Fatal("it does not get on")
		}
	}
	to := create(t, out)
	rest := command(t, "fchan", "take", store, "--once")
	fsink := command(t, "fsink", "stdout")
	pipeline(t, nil, to, rest, fsink)
	if err := rest.Wait(); err != nil {
		t.Error(err)
	}
	if err := fsink.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("killed %d times", kills)
	wantAll(t, out, all)
}

// TestTakeover kills the owners of a directory one after the other, while a
// putter and a taker that are its clients go on.
func TestTakeover(t *testing.T) {
	const all = 20_000
	dir := t.TempDir()
	store, out := filepath.Join(dir, "channel"), filepath.Join(dir, "out")
	holds := filepath.Join(store, "lock")
	isOwner := func(c *exec.Cmd) func() bool {
		return func() bool {
			text, _ := os.ReadFile(holds)
			return strings.TrimSpace(string(text)) == strconv.Itoa(c.Process.Pid)
		}
	}

	first := command(t, "fchan", "file", store, "--listen", "unix:"+filepath.Join(dir, "s"))
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	commandtest.Until(t, "the first process is the owner", isOwner(first))
	feed, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	to := create(t, out)
	taker, fsink := command(t, "fchan", "take", store), command(t, "fsink", "stdout")
	pipeline(t, nil, to, taker, fsink)
	has := func(n int) func() bool {
		return func() bool {
			text, _ := os.ReadFile(out)
			return strings.Contains("\n"+string(text), fmt.Sprintf("\n%d\n", n))
		}
	}
	putter := command(t, "fchan", "put", store)
	pipeline(t, feed, nil, putter)
	feed.Close()
	send := func(from, to int) {
		for n := from; n <= to; n++ {
			if _, err := fmt.Fprintln(writer, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(1, all/4)
	commandtest.Until(t, "something has come through", has(1))
	first.Process.Kill()
	send(all/4+1, all/2)
	commandtest.Until(t, "the clients are at work again", has(all/2))

	// One of the two is the owner now. If it is the taker, it goes next.
	commandtest.Until(t, "there is an owner", func() bool { return isOwner(taker)() || isOwner(putter)() })
	if isOwner(taker)() {
		taker.Process.Kill()
		taker.Wait()
		fsink.Wait()
		commandtest.Until(t, "the putter is the owner", isOwner(putter))
		taker, fsink = command(t, "fchan", "take", store), command(t, "fsink", "stdout")
		pipeline(t, nil, to, taker, fsink)
	}
	send(all/2+1, all)
	writer.Close()
	if err := putter.Wait(); err != nil {
		t.Errorf("the putter: %v", err)
	}
	commandtest.Until(t, "all has come through", has(all))
	commandtest.Until(t, "the taker is the owner", isOwner(taker))
	taker.Process.Signal(syscall.SIGTERM)
	if err := taker.Wait(); err != nil {
		t.Errorf("the taker: %v", err)
	}
	if err := fsink.Wait(); err != nil {
		t.Errorf("the sink: %v", err)
	}
	wantAll(t, out, all)
}

// TestTermDrains asks a channel to end while its reader is behind: what it took
// in is delivered first.
func TestTermDrains(t *testing.T) {
	for _, kind := range [][]string{{"memory", "--capacity", "100000"}, {"file", ""}} {
		t.Run(kind[0], func(t *testing.T) {
			dir := t.TempDir()
			if kind[0] == "file" {
				kind[1] = filepath.Join(dir, "channel")
			}
			in, feed, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer feed.Close()
			from, to, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			fchan := command(t, "fchan", kind...)
			pipeline(t, in, to, fchan)
			in.Close()
			to.Close()
			const all = 5000
			for n := range all {
				fmt.Fprintln(feed, n)
			}
			first := make([]byte, 1)
			if _, err := io.ReadFull(from, first); err != nil {
				t.Fatal(err)
			}
			fchan.Process.Signal(syscall.SIGTERM)
			rest, err := io.ReadAll(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := fchan.Wait(); err != nil {
				t.Errorf("got %v; want status 0", err)
			}
			got := bytes.Count(rest, []byte("\n"))
			if got == 0 || got > all {
				t.Errorf("%d events were delivered of %d", got, all)
			}
			for i, line := range bytes.Split(bytes.TrimSpace(append(first, rest...)), []byte("\n")) {
				if want := fmt.Sprintf(`{"headers":{},"body":"%d"}`, i); string(line) != want {
					t.Fatalf("line %d is %s; want %s", i, line, want)
				}
			}
		})
	}
}
