//go:build unix && !linux

package plugin

import "syscall"

// ownGroup makes a plug-in the leader of a process group, so that it can be
// signalled with its children.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
