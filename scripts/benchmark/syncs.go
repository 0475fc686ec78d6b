package main

import (
	"bytes"
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

var (
	syncCall = regexp.MustCompile(`(?m)^\d+ +(fsync|fdatasync|sync_file_range|syncfs|msync)\(`)
	syncOpen = regexp.MustCompile(`(?m)^\d+ +openat\([^)]*O_D?SYNC`)
)

// countSyncs returns how many calls made data safe in the trial. Writes to files
// that were opened with O_SYNC are not calls of their own, so such files are an
// error here.
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
		if opened := syncOpen.Find(trace); opened != nil {
			return 0, fmt.Errorf("%s synchronises by %s, which cannot be counted", p.name, bytes.TrimSpace(opened))
		}
		calls += len(syncCall.FindAll(trace, -1))
	}
	return calls, nil
}
