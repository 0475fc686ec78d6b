//go:build unix && !linux

package procgroup

import "syscall"

// Leader returns the attributes of a process that leads a group of its own.
func Leader() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
