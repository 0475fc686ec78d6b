package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// The victim is this test binary, run again with these in its environment.
const (
	victimDir   = "EMBEDDED_VICTIM_DIR"
	victimPoint = "EMBEDDED_VICTIM_POINT" // where it kills itself,
	victimCount = "EMBEDDED_VICTIM_COUNT" // the how many-th time it comes there
	victimOnly  = "EMBEDDED_VICTIM_ONLY"  // "read": it appends nothing
)

// victim works on a store until it is killed, or is through, and writes what
// was acknowledged to its standard output. It returns false if this process is
// none.
func victim() bool {
	dir := os.Getenv(victimDir)
	if dir == "" {
		return false
	}
	left, _ := strconv.Atoi(os.Getenv(victimCount))
	embedded.OnCrashPoint(func(name string) {
		if name == os.Getenv(victimPoint) {
			if left--; left == 0 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	})
	if err := work(dir, os.Getenv(victimOnly) == "read"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func work(dir string, onlyRead bool) error {
	ctx := zerolog.Nop().WithContext(context.Background())
	c := channel.StoreConfig{Dir: dir, Aside: dir + ".aside"}
	for range 3 {
		s, err := embedded.OpenSized(ctx, c, small, part)
		if err != nil {
			return err
		}
		_, last, err := s.Bounds(ctx)
		if err != nil {
			return err
		}
		if onlyRead {
			for from := uint64(1); from <= last; {
				read, err := s.Read(ctx, from, 50_000)
				if err != nil {
					return err
				}
				if len(read) == 0 {
					break
				}
				from = read[len(read)-1].Seq + 1
			}
			return s.Close()
		}
		n := uint64(0)
		if last > 0 {
			read, err := s.Read(ctx, last, 0)
			if err != nil {
				return err
			}
			if len(read) != 1 { // all was trimmed, which this never does
				return fmt.Errorf("got %d messages at %d; want one", len(read), last)
			}
			n = read[0].Totals.Events
		}
		for range 50 {
			n++
			seq, err := s.Append(ctx, sized(n), channel.Totals{Events: n, Bytes: n * 10})
			if err != nil {
				return err
			}
			if _, err := fmt.Println("put", n, seq); err != nil {
				return err
			}
			if n%10 == 0 {
				behind := uint64(6) // in the segment that is written,
				if n%20 == 0 {
					behind = 40 // or before it
				}
				old, err := s.Read(ctx, seq-min(seq, behind), 0)
				if err != nil {
					return err
				}
				if _, err := fmt.Println("trim", n, old[0].Seq); err != nil {
					return err
				}
				if err := s.Trim(ctx, old[0].Seq); err != nil {
					return err
				}
			}
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// sized is the n-th message of a victim: each fifth has four parts.
func sized(n uint64) []byte {
	if n%5 == 0 {
		return batch(n, 3*part+100)
	}
	return batch(n, 3_000)
}

// kill runs a victim until it dies and adds what was acknowledged to m.
func kill(t *testing.T, m *model, dir, point string, count int, only string) {
	t.Helper()
	m.crashes++
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir, victimPoint+"="+point, fmt.Sprintf("%s=%d", victimCount, count), victimOnly+"="+only)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		t.Fatalf("the victim ended with %v: %s", err, failed.String())
	}
	if err == nil && count == 1 {
		t.Fatalf("the victim never came to %q", point)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var what string
		var n, seq uint64
		if _, err := fmt.Sscan(lines.Text(), &what, &n, &seq); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if what == "trim" {
			m.trimmed = max(m.trimmed, seq)
			continue
		}
		m.all = append(m.all, channel.Message{Seq: seq, Totals: channel.Totals{Events: n, Bytes: n * 10}, Data: sized(n)})
	}
}

// survived checks that all that was acknowledged is there, in order, and at most
// one message more for each crash, and adds these to the model.
func (m *model) survived(t *testing.T, dir string) {
	t.Helper()
	s := open(t, conf(t, dir))
	defer closed(t, s)
	if missing := s.Missing(); len(missing) > 0 {
		t.Errorf("got missing %v; want none", missing)
	}
	_, last, err := s.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, s, m.trimmed+1, 20_000)
	acknowledged := make(map[uint64]channel.Message)
	for _, one := range m.from(0) {
		acknowledged[one.Seq] = one
	}
	m.all = nil
	for i, one := range got {
		if i > 0 && one.First != got[i-1].Seq+1 {
			t.Errorf("message %d begins at %d; the one before ends at %d", one.Seq, one.First, got[i-1].Seq)
		}
		m.all = append(m.all, one)
		want, ok := acknowledged[one.Seq]
		if !ok { // appended, and killed before it could say so
			m.crashes--
			want = channel.Message{Seq: one.Seq, Totals: one.Totals, Data: sized(one.Totals.Events)}
		}
		delete(acknowledged, one.Seq)
		want.First = one.First
		if err := same(one, want); err != nil {
			t.Error(err)
		}
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d messages are lost", len(acknowledged))
	}
	if m.crashes < 0 {
		t.Errorf("%d messages came that nobody appended", -m.crashes)
	}
	if last != m.last() {
		t.Errorf("got last %d; want %d", last, m.last())
	}
	m.crashes = 0
}

func TestKilledAtEachPoint(t *testing.T) {
	for _, point := range []string{"part", "appended", "stopped", "closed", "made", "begun", "started", "resumed", "vouched",
		"trimmed", "removed by name", "removed", "examined"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir, m := filepath.Join(fastDir(t), "store"), new(model)
			for _, count := range []int{1, 1, 4, 1} {
				if point == "examined" { // there is something to be examined after a crash only
					kill(t, m, dir, "appended", 7, "")
					count = 1
				}
				kill(t, m, dir, point, count, "")
				m.survived(t, dir)
			}
			kill(t, m, dir, "appended", 7, "")
			kill(t, m, dir, point, 1, "")
			kill(t, m, dir, "part", 2, "") // crashes in a row, with nobody looking
			kill(t, m, dir, "part", 3, "")
			m.survived(t, dir)
		})
	}
}

func TestKilledWhileMending(t *testing.T) {
	m, crashed, whole := filled(t, nil)
	for _, point := range []string{"mend", "mended"} {
		for _, from := range []string{crashed, whole} {
			t.Run(point+"/"+filepath.Base(from), func(t *testing.T) {
				dir := filepath.Join(fastDir(t), "store")
				copyDir(t, from, dir)
				all := blocks(t, dir)
				damaged := all[len(all)-2]
				flip(t, damaged.path, 10, 4)
				flip(t, damaged.path, 300, 4)
				flip(t, damaged.path, 305, 4)
				kill(t, new(model), dir, point, 1, "read")
				kill(t, new(model), dir, point, 2, "read")
				lost, err := account(t, m, conf(t, dir))
				if err != nil {
					t.Fatal(err)
				}
				if lost != 1 {
					t.Errorf("%d messages are lost; want 1", lost)
				}
			})
		}
	}
}
