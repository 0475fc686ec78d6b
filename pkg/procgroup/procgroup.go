// Package procgroup starts programs as the leaders of process groups, so that
// they can be signalled together with what they start in their turn.
package procgroup

import "syscall"

// Signal sends s to every process of the group that pid leads. It does nothing
// where they have all ended.
func Signal(pid int, s syscall.Signal) {
	syscall.Kill(-pid, s) // it fails only if there is none to signal
}
