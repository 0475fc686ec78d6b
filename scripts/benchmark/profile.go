package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// record has perf record a process of ours until it ends, if profiles are wanted:
// DIR/FLOW-COMMAND.data, and its hottest functions in DIR/FLOW-COMMAND.txt. Of an
// agent it records the machine, and lists the functions of our commands.
func (t *trial) record(p *process) error {
	if t.profile == "" || t.tracing || !p.ours {
		return nil
	}
	if err := os.MkdirAll(t.profile, 0o755); err != nil {
		return err
	}
	name := filepath.Join(t.profile, t.flow+"-"+p.name)
	data := name + ".data"
	what := []string{"--pid", strconv.Itoa(p.cmd.Process.Pid)}
	only := []string{"--sort", "symbol"}
	if p.name == "fctl" { // it is the processes it starts that work
		if len(t.recordings) > 0 {
			return nil // they are in the recording that there is
		}
		what = []string{"--all-cpus"}
		only = []string{"--sort", "comm,symbol", "--percentage", "relative", "--comm", "fctl,fsrc,fchan,fsink"}
	}
	args := []string{"record", "--quiet", "--event", "cpu-clock", "--freq", "997", "-g", "--output", data}
	perf := exec.CommandContext(t.ctx, t.perf, append(args, what...)...)
	perf.Stderr = os.Stderr
	perf.Cancel = func() error { return perf.Process.Signal(os.Interrupt) } // it still has to write
	perf.WaitDelay = 10 * time.Second
	if err := perf.Start(); err != nil {
		return fmt.Errorf("starting perf: %w", err)
	}
	t.recordings = append(t.recordings, func() error {
		perf.Process.Signal(os.Interrupt)
		perf.Wait() // its status is that of the interrupt
		args := []string{"report", "--stdio", "--no-children", "--call-graph", "none", "--percent-limit", "0.5", "--input", data}
		hottest, err := exec.Command(t.perf, append(args, only...)...).Output()
		if err != nil {
			return fmt.Errorf("reading %s: %w", data, err)
		}
		return os.WriteFile(name+".txt", hottest, 0o644)
	})
	return nil
}
