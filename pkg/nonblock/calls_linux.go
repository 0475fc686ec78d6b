package nonblock

import (
	"syscall"
	"unsafe"
)

// read and write are read(2) and write(2), or writev(2), of a descriptor that never
// blocks: syscall.RawSyscall does not tell the runtime.

func read(fd uintptr, p []byte) (int, error) {
	n, err := result(syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))))
	afterRead(fd)
	return n, err
}

func write(fd uintptr, head, body []byte) (int, error) {
	beforeWrite()
	if len(body) == 0 {
		return result(syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(head))), uintptr(len(head))))
	}
	both := [2]syscall.Iovec{{Base: unsafe.SliceData(head)}, {Base: unsafe.SliceData(body)}}
	both[0].SetLen(len(head))
	both[1].SetLen(len(body))
	return result(syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&both)), uintptr(len(both))))
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
