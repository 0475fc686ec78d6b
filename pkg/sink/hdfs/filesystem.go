package hdfs

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
)

// fileSystem is where files are made. Its methods may be called at the same
// time; they return soon after ctx is done.
type fileSystem interface {
	// create makes a file, and the directories above it. The error for one
	// that is there already wraps fs.ErrExist; one that wraps errUnanswered
	// says that the file may be there now.
	create(ctx context.Context, path string) (file, error)
	// reopen opens a file that nobody writes to, to write after its end, and
	// returns its size. The error for one that is written to wraps errInUse.
	reopen(ctx context.Context, path string) (file, int64, error)
	// rename gives a file another name. The error for a name that is taken
	// wraps fs.ErrExist, for a file that is not there fs.ErrNotExist.
	rename(ctx context.Context, from, to string) error
	// remove removes a file, even one that was abandoned just now.
	remove(ctx context.Context, path string) error
	// truncate cuts a file that nobody writes to.
	truncate(ctx context.Context, path string, size int64) error
	// list returns what is in a directory; nothing if there is none.
	list(ctx context.Context, dir string) ([]entry, error)
	// release completes a file whose writer is gone; own says that it was
	// this process, and has given the file up. The error while the writer may
	// yet be there, or the file is being completed, wraps errInUse.
	release(ctx context.Context, path string, own bool) error
	// replicas is how many copies of each block a file is to have; 0 if
	// the file system does not count.
	replicas() int
	close() error
}

// file is a file that is being written. Its methods are called one at a time.
type file interface {
	Write(p []byte) (int, error)
	// sync returns when all that was written can be read by others and
	// outlives this process.
	sync(ctx context.Context) error
	// close completes the file. It can be called again after an error that
	// does not wrap errSpoiled.
	close(ctx context.Context) error
	// abandon gives the file up, complete or not, for release, and cuts it
	// back to size if that can be done at once. It may be called again.
	abandon(size int64)
	// replicas is how many copies what was written last has; -1 if unknown.
	replicas() int
	// stale says that the file had better be ended soon.
	stale() bool
}

var (
	errInUse      = errors.New("in use by another process, or not long out of use")
	errSpoiled    = errors.New("the file can only be given up")
	errUnanswered = errors.New("the answer was lost")
)

type entry struct {
	name string
	dir  bool
	size int64
}

// name is the names of a file: one while it is in use, and one for ever.
type name struct {
	dir, prefix string
	number      int64
	suffix      string
}

func (n name) final() string {
	return path.Join(n.dir, n.prefix+"."+strconv.FormatInt(n.number, 10)+n.suffix)
}

func (n name) inUse(before, after string) string {
	return path.Join(n.dir, before+n.prefix+"."+strconv.FormatInt(n.number, 10)+n.suffix+after)
}

// settle gives a complete file its final name, or the next one that is free. A
// file that is gone has been renamed by a call whose answer was lost.
//
// Flume: a file whose final name is taken keeps the other one, without a word.
func settle(ctx context.Context, in fileSystem, from string, n *name) error {
	for from != n.final() {
		err := in.rename(ctx, from, n.final())
		if errors.Is(err, fs.ErrExist) {
			n.number++
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return nil
}
