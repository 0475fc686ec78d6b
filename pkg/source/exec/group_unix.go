//go:build unix && !linux

package exec

import "syscall"

// ownGroup makes a command the leader of a process group, so that it can be
// signalled with its children.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
