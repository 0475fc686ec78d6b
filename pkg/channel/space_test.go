package channel_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/event"
)

// said is a log that several goroutines write.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), what)
}

// TestPutsThatWaitForTheDisk has a put wait because the disk has too little room:
// that is said once, and so is its end.
func TestPutsThatWaitForTheDisk(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	log := new(said)
	c, err := channel.OpenQueue(zerolog.New(log).WithContext(t.Context()), embedded.Open, channel.Config{
		Dir: lock(t, t.TempDir()), TrimBytes: 1 << 20,
		Limits: channel.Limits{Events: 10, Transaction: 10, Space: func() error {
			if full.Load() {
				return errors.New("only 5 bytes remaining")
			}
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := new(event.Batch)
	b.Append(event.Event{Body: []byte("a")})
	done := make(chan error, 1)
	c.Putter().Put(b, true, func(err error) { done <- err })
	until := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); log.count(what) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q was never said", what)
			}
		}
	}
	until("only 5 bytes remaining")
	full.Store(false)
	if err := <-done; err != nil {
		t.Error(err)
	}
	until("puts have room on the disk again")
	if n := log.count("puts wait for room on the disk"); n != 1 {
		t.Errorf("it was said %d times; want once", n)
	}
}
