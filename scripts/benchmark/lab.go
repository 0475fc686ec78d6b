package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// lab is what all trials share: the commands, the input, a directory.
type lab struct {
	bin     string
	dir     string
	strace  string // the program, "" if there is none
	perf    string
	profile string // directory, "" if not wanted
	backlog int64  // bytes
	trials  int
	peers   *peers // nil if there are none, or they are not asked for
	without string // why there are none
}

// openLab makes the directory and, in it, the input for the longest flow.
func openLab(set settings) (*lab, error) {
	for _, command := range []string{"fsrc", "fchan", "fsink", "fctl"} {
		if _, err := os.Stat(filepath.Join(set.bin, command)); err != nil {
			return nil, fmt.Errorf("looking for the commands: %w; build them: scripts/build", err)
		}
	}
	dir, err := os.MkdirTemp(set.dir, "flumekit-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{bin: set.bin, dir: dir, profile: set.profile, backlog: set.backlog}
	l.strace, _ = exec.LookPath("strace")
	if set.profile != "" {
		if l.perf, err = exec.LookPath("perf"); err != nil {
			return nil, fmt.Errorf("--cpuprofile: %w", errors.Join(err, l.close()))
		}
	}
	l.findPeers(set)
	most := 0
	for _, f := range set.flows {
		most = max(most, f.events)
	}
	if err := writeLines(l.input(), most); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) close() error { return errors.Join(l.peers.close(), os.RemoveAll(l.dir)) }

// findPeers has Flume and HDFS at hand if a flow asks for them.
func (l *lab) findPeers(set settings) {
	wanted := slices.ContainsFunc(set.flows, func(f flow) bool { return f.hdfs || f.beside != nil && f.beside.flume })
	switch {
	case !wanted:
	case set.root == "":
		l.without = "there is no --root to find scripts/peers in"
	case set.quick && set.all:
		l.without = "all flows are to be quick; name one to have them"
	default:
		progress("fetching Flume and HDFS …")
		var err error
		if l.peers, err = findPeers(set.root); err != nil {
			l.without = err.Error()
		}
	}
}

// possible returns those of the flows that need nothing that is not there, alone
// if what is beside them is not.
func (l *lab) possible(flows []flow) []flow {
	if l.peers != nil {
		return flows
	}
	var all []flow
	for _, f := range flows {
		if f.beside != nil && f.beside.flume {
			f.beside = nil
		}
		if !f.hdfs {
			all = append(all, f)
		}
	}
	return all
}

func (l *lab) input() string { return filepath.Join(l.dir, "input") }

// line is the bytes of line number n without its newline.
func line(buffer []byte, n int) []byte {
	buffer = fmt.Appendf(buffer, "%09d ", n)
	for len(buffer) < bodySize {
		buffer = append(buffer, 'a'+byte((n+len(buffer))%26))
	}
	return buffer
}

// writeLines writes n lines and has them on the disk, so that their writing
// disturbs nobody's fsync later.
func writeLines(path string, n int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	var buffer []byte
	for i := range n {
		buffer = append(line(buffer[:0], i), '\n')
		if _, err := w.Write(buffer); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), file.Sync())
}

// conditions says what the figures hold for.
func (l *lab) conditions(set settings) []string {
	system := runtime.GOOS + "/" + runtime.GOARCH
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		system += ", kernel " + strings.TrimSpace(string(kernel))
	}
	fileSystem := "an unknown file system"
	if name, err := exec.Command("findmnt", "-n", "-o", "FSTYPE", "--target", l.dir).Output(); err == nil {
		fileSystem = strings.TrimSpace(string(name))
	}
	conditions := []string{
		fmt.Sprintf("%d CPUs%s, %s, %s", runtime.NumCPU(), cpuModel(), system, runtime.Version()),
		fmt.Sprintf("events of %d bytes; stores and files in %s (%s)", bodySize, filepath.Dir(l.dir), fileSystem),
		plural(set.runs, "run", "runs") + " of each; the figures are the median run's, ± is half of max − min",
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		minute, _, _ := strings.Cut(string(load), " ")
		conditions = append(conditions, "load average "+minute+" before the first run (near 0 is a quiet machine)")
	}
	if l.without != "" {
		conditions = append(conditions, "without Flume and HDFS: "+l.without)
	}
	if l.strace == "" {
		conditions = append(conditions, "strace is not installed: fsyncs are not counted")
	}
	if l.profile != "" {
		conditions = append(conditions, "perf was recording: the figures are lower than without it")
	}
	return conditions
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// cpuModel returns the processor's name after a comma, if it is to be had.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for text := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(text, ":"); ok && strings.TrimSpace(name) == "model name" {
			return ", " + strings.TrimSpace(model)
		}
	}
	return ""
}
