package channeltest

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Log keeps what a channel, or a process, writes into it, which may be read at any
// time. Its zero value is empty; several goroutines may use it.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed with the next Write; nil if nobody waits
}

// Write appends p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return l.text.Write(p)
}

// String returns what has been written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Await waits until text has been written, for a minute at most.
func (l *Log) Await(t testing.TB, text string) {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		l.mu.Lock()
		said := strings.Contains(l.text.String(), text)
		if !said && l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		if said {
			return
		}
		select {
		case <-more:
		case <-patience:
			t.Fatalf("%q was never said: %s", text, l)
		}
	}
}
