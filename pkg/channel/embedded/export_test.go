package embedded

import (
	"context"

	"github.com/flumekit/flumekit/pkg/channel"
)

// OpenSized is Open with segments that are full at segment bytes, and records
// of part bytes at most.
func OpenSized(ctx context.Context, conf channel.StoreConfig, segment uint64, part int) (*Store, error) {
	return openSized(ctx, conf, sizes{segment, part})
}

// Serving reports whether the store has a server.
func (s *Store) Serving() bool {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.writer != nil
}

// OnCrashPoint sets what is called at each point where a crash leaves something.
func OnCrashPoint(f func(name string)) { crashPoint = f }
