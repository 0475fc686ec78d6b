package plugin

import "syscall"

// ownGroup makes a plug-in the leader of a process group, so that it can be
// signalled with its children, and has it terminated when its parent is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
