package channel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/flumekit/flumekit/pkg/fault"
)

// ErrInUse is wrapped by LockDir's error when another process has the directory.
var ErrInUse = errors.New("another process has it")

// formatText is what the file format holds.
const formatText = "flumekit channel 2\n"

// Dir is a channel's directory, locked by this process: it is the owner for as
// long as the Dir is open, and loses the directory with its life at the latest.
type Dir struct {
	path      string
	lock      *os.File
	unwritten error // why the directory can only be read; nil: it can be written
}

// MakeDir makes a channel's directory if it does not exist but its parent does.
func MakeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	switch {
	case err == nil:
		return syncDir(filepath.Dir(path))
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fault.Hint(err, "make the directory that it is to be in: mkdir -p %s", filepath.Dir(path))
	}
	return err
}

// LockDir makes the process the owner of the directory at path, which exists.
// It is laid out if it is empty, or Flume's. If another process has it, the error
// wraps ErrInUse.
func LockDir(path string) (*Dir, error) {
	lock, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if err := tryLock(path, lock, unix.LOCK_EX); err != nil {
		return nil, err
	}
	return lockedDir(path, lock)
}

// LookDir is LockDir for one who only reads: a directory that cannot be written it
// keeps from those who would write, and not from others who read.
func LookDir(path string) (*Dir, error) {
	dir, unwritten := LockDir(path)
	if !errors.Is(unwritten, unix.EROFS) && !errors.Is(unwritten, fs.ErrPermission) {
		return dir, unwritten
	}
	lock, err := os.Open(filepath.Join(path, "lock"))
	if err != nil {
		return nil, unwritten
	}
	if err := tryLock(path, lock, unix.LOCK_SH); err != nil {
		return nil, err
	}
	dir = &Dir{path: path, lock: lock, unwritten: unwritten}
	if err := dir.checkFormat(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return dir, nil
}

// tryLock locks the file lock of the directory at path, or closes it.
func tryLock(path string, lock *os.File, how int) error {
	err := flock(lock, how|unix.LOCK_NB)
	if err == nil {
		return nil
	}
	defer lock.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%s: %w: process %s", path, ErrInUse, owner(lock))
	}
	return fmt.Errorf("locking %s: %w", lock.Name(), err)
}

// AwaitDir is LockDir that waits until no other process has the directory.
func AwaitDir(ctx context.Context, path string) (*Dir, error) {
	lock, err := openLock(path)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- flock(lock, unix.LOCK_EX) }()
	select {
	case err := <-locked:
		if err != nil {
			lock.Close()
			return nil, fmt.Errorf("locking %s: %w", lock.Name(), err)
		}
		return lockedDir(path, lock)
	case <-ctx.Done():
		// A flock that waits cannot be called off. If it is granted yet,
		// it is given back at once.
		go func() {
			<-locked
			lock.Close()
		}()
		return nil, ctx.Err()
	}
}

func openLock(path string) (*os.File, error) {
	if err := checkEmpty(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Hint(fmt.Errorf("there is no channel in %s: %w", path, err), "make the directory: mkdir %s", path)
	case err != nil:
		return nil, fmt.Errorf("opening the channel in %s: %w", path, err)
	}
	return lock, nil
}

var (
	// ours is what a channel's directory has before it has its format, or when
	// that was lost. A disk's top directory has lost+found.
	ours = []string{"lock", "sock", "ledger", "ledger.new", "retain", "damaged", "store", "format.new", "lost+found"}
	// flumes is what tells a directory of Flume's file channel.
	flumes = regexp.MustCompile(`^(in_use\.lock|checkpoint|checkpoint\..*|backupComplete|inflightputs|inflighttakes|queueset|log-[0-9].*|imported-by-fchan)$`)
)

// checkEmpty refuses a directory that is neither a channel's nor empty: whoever
// named it meant another. That it cannot be read is said by those who need it.
func checkEmpty(path string) error {
	entries, _ := os.ReadDir(path)
	var foreign []string
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "format" || flumes.MatchString(name):
			return nil
		case !slices.Contains(ours, name):
			foreign = append(foreign, name)
		}
	}
	if foreign == nil {
		return nil
	}
	others := ""
	if n := len(foreign) - 1; n > 0 {
		others = fmt.Sprintf(" and %d more", n)
	}
	return fault.Hint(fmt.Errorf("%s is not a channel's directory: it has %q%s in it", path, foreign[0], others),
		"name a directory that is empty, or a new one, which is made: %s", filepath.Join(path, "c1"))
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func owner(lock *os.File) string {
	text := make([]byte, 20)
	n, _ := lock.ReadAt(text, 0)
	return strings.TrimSpace(string(text[:n]))
}

func lockedDir(path string, lock *os.File) (*Dir, error) {
	d := &Dir{path: path, lock: lock}
	err := d.checkFormat()
	if err == nil {
		err = lock.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(lock, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

// checkFormat refuses a layout that this version does not know, and writes its
// own into a directory without one.
func (d *Dir) checkFormat() error {
	path := filepath.Join(d.path, "format")
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writeFormat(path)
	case err != nil:
		return err
	case string(text) != formatText:
		return fault.Hint(fmt.Errorf("%s says %q; this version knows %q", path, strings.TrimSpace(string(text)), strings.TrimSpace(formatText)),
			"open the channel with the version of flumekit that wrote it")
	}
	return nil
}

func writeFormat(path string) error {
	temp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = temp.WriteString(formatText)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("laying out the channel: %w", err)
	}
	return nil
}

// readOnly reports whether the directory can only be read.
func (d *Dir) readOnly() bool { return d != nil && d.unwritten != nil }

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

// Store returns the path of the directory for the store's files.
func (d *Dir) Store() string { return filepath.Join(d.path, "store") }

func (d *Dir) ledger() string { return filepath.Join(d.path, "ledger") }

// Close gives the directory up.
func (d *Dir) Close() error { return d.lock.Close() }
