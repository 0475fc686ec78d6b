package file

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// space watches how much is free on a disk.
type space struct {
	path     string
	required int64

	mu     sync.Mutex
	looked time.Time
	err    error
}

// lookInterval is how long what was seen holds.
//
// Flume: 15 seconds, in which it counts what it writes itself; here that would
// miss what others write.
const lookInterval = time.Second

// check returns nil if enough is free, else Flume's words for it.
func (s *space) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.looked) >= lookInterval {
		s.looked, s.err = now, s.look()
	}
	return s.err
}

func (s *space) look() error {
	var disk unix.Statfs_t
	if err := unix.Statfs(s.path, &disk); err != nil {
		return fmt.Errorf("looking how much is free on the disk of %s: %w", s.path, err)
	}
	if free := int64(disk.Bavail) * int64(disk.Bsize); free < s.required {
		return exhausted(fmt.Sprintf("Usable space exhausted, only %d bytes remaining, required %d bytes", free, s.required))
	}
	return nil
}

// exhausted is Flume's text for a full disk.
type exhausted string

func (e exhausted) Error() string { return string(e) }
