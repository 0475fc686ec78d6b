package fileroll

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/serializer"
)

// file is a file that is being written. Between calls it ends with the last
// batch that was delivered.
type file struct {
	f     *os.File
	to    serializer.Serializer
	fsync bool

	size      int64 // as written
	delivered int64 // the size after the last batch that was delivered
	batches   int   // that were delivered
	spoiled   bool  // it could not be cut back to delivered, or may not be on the disk
}

// create makes the next file of names in dir.
func create(dir string, names *namer, format serializer.Options, fsync bool) (*file, error) {
	for {
		// Flume: a file that is there is truncated; here another name is taken.
		f, err := os.OpenFile(filepath.Join(dir, names.next()), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			names.unused()
			return nil, err
		}
		out := &file{f: f, fsync: fsync}
		if out.to, err = format.Build(out, false); err == nil && fsync {
			err = syncDirectory(filepath.Dir(f.Name()))
		}
		if err != nil {
			names.unused()
			return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
		out.delivered = out.size
		return out, nil
	}
}

// syncDirectory has the entry of a new file on the disk.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}

func (f *file) path() string { return f.f.Name() }

// Write is what the serializer writes to.
func (f *file) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	f.size += int64(n)
	return n, err
}

// write appends b and returns nil when the kernel has it, or the disk.
func (f *file) write(b *event.Batch) error {
	err := f.to.Write(b)
	if err == nil {
		err = f.to.Flush()
	}
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		return f.cutBack(err)
	}
	f.delivered = f.size
	f.batches++
	return nil
}

// complete writes what ends the file. It can be tried again after an error.
func (f *file) complete() error {
	err := f.to.Close()
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		return f.cutBack(err)
	}
	f.delivered = f.size
	return nil
}

func (f *file) sync() error {
	if !f.fsync {
		return nil
	}
	if err := f.f.Sync(); err != nil {
		// The kernel reports that once and forgets which pages it could
		// not write: a second fsync of this file would prove nothing.
		f.spoiled = true
		return err
	}
	return nil
}

// cutBack takes away what was written since the last delivery, so that what is
// written again does not stand behind a part of itself. It returns err.
func (f *file) cutBack(err error) error {
	info, failed := f.f.Stat()
	if failed == nil && info.Size() < f.delivered {
		failed = fmt.Errorf("%s was cut to %d bytes by another program", f.path(), info.Size())
	}
	if failed == nil {
		failed = f.f.Truncate(f.delivered)
	}
	if failed != nil {
		f.spoiled = true
		return errors.Join(err, failed)
	}
	f.size = f.delivered
	return err
}

// close closes the file, and removes it if nothing was ever delivered to it.
func (f *file) close() error {
	err := f.f.Close()
	if f.batches == 0 {
		err = errors.Join(err, os.Remove(f.path()))
	}
	return err
}
