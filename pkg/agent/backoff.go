package agent

import (
	"math/rand/v2"
	"time"
)

const (
	shortestPause = 200 * time.Millisecond
	longestPause  = 30 * time.Second

	// steady is how long a process has to run to be taken for a sound one.
	steady = 10 * time.Second
)

// backoff is the pauses between the ends of a process and its next starts. They
// double as long as the process does not run steadily, and vary by a quarter, so
// that processes that died together do not come back together.
type backoff struct{ last time.Duration }

// after returns the pause after a process that ran for so long.
func (b *backoff) after(ran time.Duration) time.Duration {
	if ran >= steady {
		b.last = 0
	}
	b.last = min(max(2*b.last, shortestPause), longestPause)
	return b.last*3/4 + rand.N(b.last/2)
}
