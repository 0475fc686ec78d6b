package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// memory follows the peaks of processes and of those that they start. What
// wait4 tells would not do: a process inherits the peak of the one that
// started it.
type memory struct {
	quit chan struct{}
	done chan struct{}

	mu    sync.Mutex // guards what follows
	roots []int
	peaks map[int]int64
}

// lookEvery is how often the processes are looked at. The kernel keeps their peaks,
// so only the last moment of one that ends can be missed; but a look costs the
// machine, with all of a JVM's threads, some milliseconds.
const lookEvery = 200 * time.Millisecond

// watchMemory starts to watch; stop must be called.
func watchMemory() *memory {
	m := &memory{quit: make(chan struct{}), done: make(chan struct{}), peaks: make(map[int]int64)}
	go func() {
		defer close(m.done)
		for tick := time.NewTicker(lookEvery); ; {
			select {
			case <-m.quit:
				tick.Stop()
				return
			case <-tick.C:
				m.look()
			}
		}
	}()
	return m
}

// add adds a process.
func (m *memory) add(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.roots = append(m.roots, pid)
}

// stop ends the watch and returns the peaks in bytes by process; there are none
// where there is no /proc.
func (m *memory) stop() map[int]int64 {
	close(m.quit)
	<-m.done
	return m.peaks
}

func (m *memory) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, pid := range family(m.roots) {
		m.peaks[pid] = max(m.peaks[pid], status(pid, "VmHWM"))
	}
}

// cpuSoFar returns the CPU time of the trial's processes until now, and of those
// that they have started.
func (t *trial) cpuSoFar() map[*process]time.Duration {
	spent := make(map[*process]time.Duration)
	for _, p := range t.procs {
		for _, pid := range family([]int{p.cmd.Process.Pid}) {
			spent[p] += ticks(pid)
		}
	}
	return spent
}

// ticks returns the CPU time of a process and of its children that have ended,
// from /proc/PID/stat, 0 if that is not there.
func ticks(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	const perSecond = 100 // USER_HZ, on all of Linux's processors
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	var sum time.Duration
	for i := 11; i < 15 && i < len(fields); i++ { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(string(fields[i]), 10, 64)
		sum += time.Duration(n) * time.Second / perSecond
	}
	return sum
}

// family returns processes and all their descendants.
func family(pids []int) []int {
	all := append([]int(nil), pids...)
	for i := 0; i < len(all); i++ {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, file := range files {
			text, _ := os.ReadFile(file)
			for _, field := range bytes.Fields(text) {
				if pid, err := strconv.Atoi(string(field)); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	return all
}

// status returns a size in bytes from /proc/PID/status, 0 if it is not there.
func status(pid int, field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(field+":")); ok {
			kilobytes, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
