package memory

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// store keeps messages in memory, without copying them.
type store struct {
	mu       sync.Mutex
	last     uint64
	messages []channel.Message // in order; without data where they were removed
	head     int               // of messages: those before it were trimmed
}

// OpenStore is the channel.OpenStore of what is kept in memory.
func OpenStore(context.Context, channel.StoreConfig) (channel.Store, error) { return new(store), nil }

// Append implements channel.Store.
func (s *store) Append(_ context.Context, data []byte, totals channel.Totals) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	if s.head > 0 && len(s.messages) == cap(s.messages) {
		s.messages = slices.Delete(s.messages, 0, s.head)
		s.head = 0
	}
	s.messages = append(s.messages, channel.Message{First: s.last, Seq: s.last, Time: time.Now(), Totals: totals, Data: data})
	return s.last, nil
}

// held returns the messages that were not trimmed. s.mu is held.
func (s *store) held() []channel.Message { return s.messages[s.head:] }

// place returns the index in held of the message seq, if that is there. s.mu is
// held.
func (s *store) place(seq uint64) int {
	before := s.last - uint64(len(s.held()))
	return int(max(seq, before+1) - before - 1)
}

// Read implements channel.Store.
func (s *store) Read(_ context.Context, from uint64, most int) (read []channel.Message, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from > s.last {
		return nil, nil
	}
	for _, m := range s.held()[s.place(from):] {
		if m.Data == nil {
			continue
		}
		read = append(read, m)
		if most -= len(m.Data); most < 0 {
			break
		}
	}
	return read, nil
}

// Bounds implements channel.Store.
func (s *store) Bounds(context.Context) (first, last uint64, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last - uint64(len(s.held())) + 1, s.last, nil
}

// Since implements channel.Store.
func (s *store) Since(_ context.Context, t time.Time) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held()
	i := sort.Search(len(held), func(i int) bool { return !held[i].Time.Before(t) })
	return s.last - uint64(len(held)-i) + 1, nil
}

// Missing implements channel.Store: memory is not damaged.
func (s *store) Missing() []channel.Places { return nil }

// Trim implements channel.Store.
func (s *store) Trim(_ context.Context, upTo uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.held())
	if upTo < s.last {
		n = s.place(upTo + 1)
	}
	clear(s.held()[:n])
	if s.head += n; s.head == len(s.messages) {
		s.messages, s.head = s.messages[:0], 0
	}
	return nil
}

// Remove implements channel.Remover.
func (s *store) Remove(_ context.Context, seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held := s.held(); seq > s.last-uint64(len(held)) {
		held[s.place(seq)].Data = nil
	}
	return nil
}

// MaxMessage implements channel.Store.
func (s *store) MaxMessage() int { return event.HeadSize + event.MaxSize }

// Close implements channel.Store.
func (s *store) Close() error { return nil }
