package procgroup

import "syscall"

// Leader returns the attributes of a process that leads a group of its own, and
// that gets SIGTERM when its parent is killed. The kernel takes the end of the
// thread that has started it for the end of its parent: that thread is to be
// kept (runtime.LockOSThread) for as long as the process runs.
func Leader() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
