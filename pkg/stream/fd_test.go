package stream_test

import (
	"net"
	"os"
	"syscall"
	"testing"
)

func dupFD(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	if controlErr := raw.Control(func(old uintptr) { fd, err = syscall.Dup(int(old)) }); controlErr != nil {
		return 0, controlErr
	}
	return fd, err
}

// leaveSocket leaves a socket at path on which nobody listens, as a killed
// process does.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}
