package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flumekit/flumekit/cmd/commandtest"
)

var chaos = flag.Duration("chaos", 5*time.Second, "how long TestKillTheNextHops goes on, for each group")

// TestKillTheNextHops kills and restarts, at random, the next hops of a group of
// avro sinks. Nothing is lost, and while all hops are there, a failover group
// uses the best alone and a load balancing one all of them.
func TestKillTheNextHops(t *testing.T) {
	for _, tt := range []struct {
		name   string
		group  []string
		steady func(t *testing.T, hops []*hop)
	}{
		{"failover", []string{"failover", "--processor.priority.k1=1", "--processor.priority.k2=3", "--processor.priority.k3=2",
			"--processor.maxpenalty=200"}, func(t *testing.T, hops []*hop) {
			// In the order of their priorities.
			onlyOneGrows(t, hops[1], hops[2], hops[0])
			hops[1].kill()
			onlyOneGrows(t, hops[2], hops[0])
			hops[2].kill()
			onlyOneGrows(t, hops[0])
			hops[2].start()
			onlyOneGrows(t, hops[2], hops[0])
			hops[1].start()
			onlyOneGrows(t, hops[1], hops[2], hops[0])
		}},
		{"load_balance", []string{"load_balance", "--processor.backoff", "--processor.selector.maxTimeOut=200"}, allGrow},
		{"load_balance at random without backoff", []string{"load_balance", "--processor.selector=random"}, allGrow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin, dir := commandtest.Dir(t), t.TempDir()
			args := append(tt.group, "--sinks=k1 k2 k3")
			var hops []*hop
			for i := range 3 {
				h := newHop(t, bin, filepath.Join(dir, fmt.Sprint("data", i+1)))
				hops = append(hops, h)
				prefix := fmt.Sprintf("--sinks.k%d.", i+1)
				args = append(args, prefix+"type=avro", prefix+"hostname=127.0.0.1", prefix+"port="+h.port)
			}
			var said strings.Builder
			fsink := exec.Command(filepath.Join(bin, "fsink"), args...)
			fsink.Stderr = &said
			input, err := fsink.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := fsink.Start(); err != nil {
				t.Fatal(err)
			}
			defer fsink.Process.Kill()
			end, sent := make(chan struct{}), make(chan int)
			go func() {
				defer input.Close()
				sent <- feed(input, end)
			}()

			kills, rounds := 0, 0
			for deadline := time.Now().Add(*chaos); time.Now().Before(deadline); rounds++ {
				for range 10 {
					if h := hops[rand.N(len(hops))]; h.process == nil {
						h.start()
					} else {
						h.kill()
						kills++
					}
					time.Sleep(rand.N(100 * time.Millisecond))
				}
				for _, h := range hops {
					h.start()
				}
				tt.steady(t, hops)
			}
			close(end)
			lines := <-sent
			if err := fsink.Wait(); err != nil {
				t.Errorf("fsink ended with %v: %s", err, said.String())
			}

			copies := 0
			delivered := make([]bool, lines)
			for _, h := range hops {
				h.files(t, func(path string) {
					text, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					for line := range bytes.Lines(text) {
						whole, ok := bytes.CutSuffix(line, []byte("\n"))
						if !ok {
							continue // the last one of a file was cut by a kill
						}
						n, err := strconv.Atoi(string(whole))
						if err != nil || n >= lines {
							t.Fatalf("%s: a line %q was never sent", path, whole)
						}
						delivered[n] = true
						copies++
					}
				})
			}
			var lost []int
			for n, ok := range delivered {
				if !ok {
					lost = append(lost, n)
				}
			}
			if len(lost) > 0 {
				t.Errorf("%d lines of %d are lost: from %d to %d; fsink said %s", len(lost), lines, lost[0], lost[len(lost)-1], said.String())
			}
			t.Logf("%d lines, %d of them twice, %d kills, %d rounds", lines, copies-lines, kills, rounds)
		})
	}
}

// feed writes numbered lines until end is closed and returns how many.
func feed(w interface{ Write([]byte) (int, error) }, end <-chan struct{}) int {
	const block = 100
	var text []byte
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n += block {
		select {
		case <-end:
			return n
		case <-tick.C:
		}
		text = text[:0]
		for i := range block {
			text = fmt.Appendf(text, "%08d\n", n+i)
		}
		if _, err := w.Write(text); err != nil {
			return n
		}
	}
}

// onlyOneGrows waits until h gets events, and holds that from then on the others
// get none.
func onlyOneGrows(t *testing.T, h *hop, others ...*hop) {
	t.Helper()
	grows(t, h)
	var before []int64
	for _, o := range others {
		before = append(before, o.size(t))
	}
	for range 5 {
		grows(t, h)
	}
	for i, o := range others {
		if got := o.size(t) - before[i]; got != 0 {
			t.Fatalf("%s has got %d bytes while %s works", o.dir, got, h.dir)
		}
	}
}

// allGrow waits until each hop gets events.
func allGrow(t *testing.T, hops []*hop) {
	t.Helper()
	for _, h := range hops {
		grows(t, h)
	}
}

func grows(t *testing.T, h *hop) {
	t.Helper()
	before := h.size(t)
	commandtest.Until(t, h.dir+" grows", func() bool { return h.size(t) > before })
}

// hop is a next hop: fsrc avro | fsink file_roll.
type hop struct {
	t       *testing.T
	bin     string
	dir     string
	port    string
	process *exec.Cmd // nil while there is none
	alive   *os.File  // ends when all of its processes have
}

// newHop starts a hop, which is killed when the test ends.
func newHop(t *testing.T, bin, dir string) *hop {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := &hop{t: t, bin: bin, dir: dir, port: port}
	t.Cleanup(h.kill)
	return h
}

// start starts the hop unless it runs.
func (h *hop) start() {
	if h.process != nil {
		return
	}
	h.process = exec.Command("sh", "-c", `"$0"/fsrc avro 127.0.0.1:$1 --ack=require | "$0"/fsink file_roll "$2" --sink.rollInterval=0`,
		h.bin, h.port, h.dir)
	h.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	alive, theirs, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	defer theirs.Close()
	h.alive, h.process.ExtraFiles = alive, []*os.File{theirs}
	if err := h.process.Start(); err != nil {
		h.t.Fatal(err)
	}
}

// kill kills all processes of the hop, and waits until nobody has its port.
func (h *hop) kill() {
	if h.process == nil {
		return
	}
	syscall.Kill(-h.process.Process.Pid, syscall.SIGKILL)
	h.process.Wait()
	io.Copy(io.Discard, h.alive)
	h.alive.Close()
	h.process = nil
}

// files calls f for each file of the hop.
func (h *hop) files(t *testing.T, f func(path string)) {
	t.Helper()
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			f(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// size returns how many bytes the hop has written.
func (h *hop) size(t *testing.T) int64 {
	var size int64
	h.files(t, func(path string) {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	})
	return size
}
