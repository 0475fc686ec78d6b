package hdfs

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stuckFile is a file whose close takes as long as mend is open.
type stuckFile struct {
	file
	mend   chan struct{}
	closed bool
}

func (f *stuckFile) close(context.Context) error {
	<-f.mend
	f.closed = true
	return nil
}

// A close that ends after it was waited for in vain does not stand in the way of
// the next try.
func TestLateClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &stuckFile{mend: make(chan struct{})}
		out := &output{f: f, path: "/x", bound: time.Second}
		for _, want := range []string{"timed out after 1000 ms on file: /x", "has not ended yet"} {
			if err := out.complete(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v; want %q", err, want)
			}
		}
		close(f.mend)
		synctest.Wait()
		if err := out.complete(t.Context()); err != nil || !f.closed {
			t.Errorf("got %v, closed: %v; want the file closed", err, f.closed)
		}
	})
}
