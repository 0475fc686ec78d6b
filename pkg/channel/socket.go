package channel

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// Socket is the address of a channel directory's socket. A Unix socket's path
// has room for some hundred bytes only; where that would not do, Socket is a
// short name for the same file.
type Socket struct {
	path string
	dir  *os.File // what the short name goes by; nil: none
}

// mostSocketPath is the longest path that every system takes.
const mostSocketPath = 100

// DirSocket returns the socket of the channel in the directory dir. Close it
// when it is not used any more.
func DirSocket(dir string) (*Socket, error) {
	path := filepath.Join(dir, "sock")
	if len(path) <= mostSocketPath || runtime.GOOS != "linux" {
		return &Socket{path: path}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Socket{path: "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/sock", dir: d}, nil
}

// Path returns the path that this process can listen on or dial.
func (s *Socket) Path() string { return s.path }

// Close ends the use of Path.
func (s *Socket) Close() error {
	if s.dir == nil {
		return nil
	}
	return s.dir.Close()
}
