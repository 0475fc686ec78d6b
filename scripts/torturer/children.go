package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// killChild kills a child of the line's first process: in the order in which they
// were started, the which-th. It returns how many it has killed.
func (l *line) killChild(which int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.procs) == 0 || l.ended[0] {
		return 0
	}
	// The agent cannot end meanwhile and give its ID to another: nobody has
	// waited for it while mu is held and it has not ended.
	out, err := exec.Command("pgrep", "-P", fmt.Sprint(l.procs[0].Process.Pid)).Output()
	if err != nil { // it has no children yet
		return 0
	}
	var children []int
	for _, field := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() {
			children = append(children, pid)
		}
	}
	slices.Sort(children)
	if which >= len(children) || syscall.Kill(children[which], syscall.SIGKILL) != nil {
		return 0
	}
	return 1
}
