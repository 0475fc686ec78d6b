package agent

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	var b backoff
	want := shortestPause
	for range 20 {
		got := b.after(time.Second)
		if got < want*3/4 || got > want*5/4 {
			t.Fatalf("got %v; want %v within a quarter", got, want)
		}
		want = min(2*want, longestPause)
	}
	if got := b.after(steady); got > shortestPause*5/4 {
		t.Errorf("after a steady run: got %v; want about %v", got, shortestPause)
	}
}
