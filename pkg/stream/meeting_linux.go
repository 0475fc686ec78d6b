package stream

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// meetingName puts the meeting into the abstract name space: nothing is left
// behind in a directory, whatever happens to the writer.
func meetingName(id string) string { return "@flumekit-pipe-" + id }

// peerUID returns the user of the process at the other end.
func peerUID(conn syscall.Conn) (uid int, ok bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}) != nil || err != nil {
		return 0, false
	}
	return int(cred.Uid), true
}

func inode(info os.FileInfo) (dev, ino uint64, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return stat.Dev, stat.Ino, true
}

// widen asks for the largest pipe an ordinary user may have, so that a batch
// passes in few system calls. A smaller pipe is only slower.
func widen(f *os.File) {
	if raw, err := f.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}

// unread returns how many bytes in the pipe nobody has read.
func unread(f *os.File) (n int, ok bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, false
	}
	if raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) != nil || err != nil {
		return 0, false
	}
	return n, true
}
