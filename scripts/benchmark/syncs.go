package main

import (
	"fmt"
	"os"
	"regexp"
	"time"
)

// traced returns the words before a command line that have strace write the
// command's synchronising calls to file. strace is not the command's parent
// (-D), so that signals and wait4 reach the command itself.
func (t *trial) traced(file string) []string {
	return []string{t.strace, "-D", "-f", "--seccomp-bpf", "--signal=none", "-o", file,
		"-e", "trace=fsync,fdatasync,sync_file_range,syncfs,msync,openat"}
}

var synced = regexp.MustCompile(`(?m)^\d+ +(?:(?:fsync|fdatasync|sync_file_range|syncfs|msync)\(|openat\(.*\bO_D?SYNC\b)`)

// countSyncs returns how often the trial had data brought to the disk. A file
// that is opened with O_SYNC counts as once: JetStream opens its small files so,
// and writes each with one call.
func (t *trial) countSyncs() (int, error) {
	calls := 0
	for _, p := range t.procs {
		ended := regexp.MustCompile(fmt.Sprintf(`(?m)^%d +\+\+\+ `, p.cmd.Process.Pid))
		var trace []byte
		for !ended.Match(trace) {
			if t.ctx.Err() != nil {
				return 0, fmt.Errorf("waiting for the trace of %s: %w", p.name, t.ctx.Err())
			}
			time.Sleep(time.Millisecond) // the tracer ends after the command
			var err error
			if trace, err = os.ReadFile(p.trace); err != nil {
				return 0, err
			}
		}
		calls += len(synced.FindAll(trace, -1))
	}
	return calls, nil
}
