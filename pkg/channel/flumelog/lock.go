package flumelog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/flumekit/flumekit/pkg/fault"
)

// lock is the lock on one directory, as Flume takes it: a record lock (fcntl) over
// the whole of the file in_use.lock.
type lock struct {
	file *os.File
	made bool // the file was not there before
}

func lockDir(dir string) (*lock, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("opening the file channel: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("opening the file channel: %s is not a directory", dir)
	}
	name := filepath.Join(dir, "in_use.lock")
	l := new(lock)
	var err error
	l.file, err = os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		l.made = true
		l.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	}
	switch {
	case errors.Is(err, syscall.EROFS):
		return &lock{}, nil // no agent can work here either
	case errors.Is(err, fs.ErrPermission):
		return nil, fault.Hint(fmt.Errorf("locking the file channel: %w", err), "run as the user that the agent ran as")
	case err != nil:
		return nil, fmt.Errorf("locking the file channel: %w", err)
	}
	how := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	err = syscall.FcntlFlock(l.file.Fd(), syscall.F_SETLK, &how)
	if err == nil {
		return l, nil
	}
	l.file.Close()
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return nil, fault.Hint(fmt.Errorf("%s is locked: an agent is running on it", dir), "stop the agent first")
	}
	return nil, fmt.Errorf("locking %s: %w", name, err)
}

// release gives the lock back and leaves the directory as it was found.
func (l *lock) release() error {
	if l.file == nil {
		return nil
	}
	var err error
	if l.made {
		// While the lock is still held: what another made must not be removed.
		if err = os.Remove(l.file.Name()); errors.Is(err, fs.ErrNotExist) {
			err = nil // the directory has been moved aside
		}
	}
	return errors.Join(err, l.file.Close())
}
