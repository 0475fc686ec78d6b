package channel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/file"
)

// What makes a victim kill itself: at a crash point, when it comes there for the
// so many-th time.
const (
	victimPoint = "FLUMEKIT_TEST_VICTIM_POINT"
	victimPass  = "FLUMEKIT_TEST_VICTIM_PASS"
)

func killAt(point, pass string) {
	left, _ := strconv.Atoi(pass)
	channel.OnCrashPoint(func(name string) {
		if name != point {
			return
		}
		if left--; left == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
}

func pointVictim(point string) func(dir, round string) error {
	if strings.HasPrefix(point, "take-over") {
		return heir
	}
	return worker
}

// worker opens the channel three times; each time it puts and takes for a while,
// and closes it.
func worker(dir, round string) error {
	for life := range 3 {
		d, err := channel.LockDir(dir)
		if err != nil {
			return err
		}
		few := limits
		few.Events = 500
		c, err := channel.OpenQueue(context.Background(), embedded.Open, channel.Config{Limits: few, Dir: d, TrimBytes: 20_000})
		if err != nil {
			return err
		}
		for i := range 3 {
			go feed(c.Putter(), fmt.Sprintf("%s.%d.%d", round, life, i), 1+i*i)
		}
		taker := c.Taker()
		for range 60 {
			take, err := taker.Take(context.Background())
			if err != nil {
				return err
			}
			say("take", take.Batch())
			if err := take.Commit(); err != nil {
				return err
			}
			say("commit", take.Batch())
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// heir waits to take over the directory, which its parent has.
func heir(dir, _ string) error {
	options := &file.Options{Dir: dir, Capacity: 1000, TransactionCapacity: 100, MinimumRequiredSpace: 1 << 20, FsyncPerTransaction: true, OnDamage: "quarantine"}
	_, err := channel.Enter(context.Background(), options, embedded.Open)
	if err != nil {
		return err
	}
	fmt.Println("waiting")
	select {}
}

// crash runs a victim until it kills itself at the point, in its so many-th pass, and
// reports whether it did.
func crash(t *testing.T, heard *account, dir, point string, pass, round int) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir, fmt.Sprintf("%s=%d", victimRound, round),
		victimPoint+"="+point, fmt.Sprintf("%s=%d", victimPass, pass))
	var failed bytes.Buffer
	cmd.Stderr = &failed
	said, err := cmd.Output()
	heard.hear(bytes.NewReader(said))
	if err != nil && !killed(err) {
		t.Fatalf("the victim ended with %v: %s", err, failed.String())
	}
	return err != nil
}

func killed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

func TestKilledAtEachPoint(t *testing.T) {
	for _, point := range []struct {
		name   string
		passes []int // in which it is killed, in one process after another
	}{
		{"open: store opened", []int{1, 2, 3}},
		{"ledger: written", []int{1, 1}}, // once made, it is there
		{"ledger: named", []int{1}},
		{"open: recovered", []int{1, 2, 3}},
		{"put: has room", []int{1, 5, 20}},
		{"put: appended", []int{1, 5, 20}},
		{"put: recorded", []int{1, 5, 20}},
		{"put: done", []int{1, 5, 20}},
		{"take: released", []int{1, 5, 70}},
		{"take: recorded", []int{1, 5, 70}},
		{"trim: begun", []int{1, 2, 4}},
		{"trim: ledger synced", []int{1, 2, 4}},
		{"trim: trimmed", []int{1, 2, 4}},
		{"close: at rest", []int{1, 2, 3}},
		{"close: ledger closed", []int{1, 2, 3}},
		{"close: store closed", []int{1, 2, 3}},
	} {
		t.Run(point.name, func(t *testing.T) {
			t.Parallel()
			dir, heard := t.TempDir(), newAccount()
			for round, pass := range point.passes {
				if !crash(t, heard, dir, point.name, pass, round) {
					t.Fatalf("the victim has not come to the point %q %d times", point.name, pass)
				}
			}
			if !crash(t, heard, dir, "put: appended", 3, len(point.passes)) {
				t.Fatal("the last victim was not killed")
			}
			heard.settle(t, dir)
		})
	}
}

// TestKilledWhileTakingOver has a process killed that takes over the directory of
// one that was killed too.
func TestKilledWhileTakingOver(t *testing.T) {
	for _, point := range []string{"take-over: locked", "take-over: open"} {
		t.Run(point, func(t *testing.T) {
			dir, heard := filepath.Join(t.TempDir(), "channel"), newAccount()
			if err := channel.MakeDir(dir); err != nil {
				t.Fatal(err)
			}
			if !crash(t, heard, dir, "put: recorded", 10, 0) {
				t.Fatal("the owner was not killed")
			}
			owned := lock(t, dir)
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), victimDir+"="+dir, victimPoint+"="+point, victimPass+"=1")
			said, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fscanln(said, new(string)); err != nil {
				t.Fatalf("the heir has not come to wait: %v", err)
			}
			shut(t, owned)
			if err := cmd.Wait(); !killed(err) {
				t.Fatalf("the heir ended with %v; want it killed at %q", err, point)
			}
			heard.settle(t, dir)
		})
	}
}
