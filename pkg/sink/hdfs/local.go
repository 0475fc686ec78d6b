package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// localFS is the file system of this host. A file in use is locked, so that one
// whose writer is gone can be told from the others.
//
// Flume: Hadoop's local file system writes a hidden .NAME.crc beside each file,
// and keeps up to 511 bytes back until that is closed.
type localFS struct{}

func (localFS) create(_ context.Context, path string) (file, error) {
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | os.O_EXCL
	f, err := os.OpenFile(path, flags, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, flags, 0o666)
	}
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &localFile{f: f}, nil
}

func (localFS) reopen(_ context.Context, path string) (file, int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, 0, err
	}
	if err := lock(f); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return &localFile{f: f}, info.Size(), nil
}

// lock locks f for this process, or returns an error that wraps errInUse.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return fmt.Errorf("%s is %w", f.Name(), errInUse)
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
		return nil // it goes without, as on some network file systems
	}
	return err
}

func (localFS) rename(_ context.Context, from, to string) error { return renameNew(from, to) }

// renameLooking looks first whether the name is taken: the most that some file
// systems can do.
func renameLooking(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

func (localFS) remove(_ context.Context, path string) error { return os.Remove(path) }

func (localFS) truncate(_ context.Context, path string, size int64) error {
	return os.Truncate(path, size)
}

func (localFS) list(_ context.Context, dir string) ([]entry, error) {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	entries := make([]entry, 0, len(found))
	for _, f := range found {
		e := entry{name: f.Name(), dir: f.IsDir()}
		if info, err := f.Info(); err == nil {
			e.size = info.Size()
		}
		entries = append(entries, e)
	}
	return entries, err
}

func (localFS) release(_ context.Context, path string, _ bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(lock(f), f.Close())
}

func (localFS) replicas() int { return 0 }

func (localFS) close() error { return nil }

type localFile struct {
	f      *os.File
	closed bool
}

func (l *localFile) Write(p []byte) (int, error) { return l.f.Write(p) }

// sync has nothing to do: the kernel has what was written.
func (l *localFile) sync(context.Context) error { return nil }

func (l *localFile) close(context.Context) error {
	if l.closed {
		return nil
	}
	l.closed = true
	return l.f.Close()
}

func (l *localFile) abandon(size int64) {
	if !l.closed {
		_ = l.f.Truncate(size)
		_ = l.close(context.Background())
	}
}

func (l *localFile) replicas() int { return -1 }

func (l *localFile) stale() bool { return false }
