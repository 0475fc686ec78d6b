//go:build unix && !linux

package nonblock

import "syscall"

func read(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

func write(fd uintptr, head, body []byte) (int, error) {
	if len(head) == 0 {
		head = body
	}
	return syscall.Write(int(fd), head)
}
