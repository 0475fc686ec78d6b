package jetstream_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/event"
)

// numbers puts the events from..to-1, some in a batch and several batches under
// way, and returns when all are acknowledged.
func putNumbers(p channel.Putter, from, to, each int) error {
	room, failed := make(chan struct{}, 8), make(chan error, 1)
	for n := from; n < to; {
		b := new(event.Batch)
		for range min(each, to-n) {
			b.Append(event.Event{Body: fmt.Appendf(nil, "%d", n)})
			n++
		}
		room <- struct{}{}
		p.Put(b, true, func(err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			<-room
		})
	}
	for range cap(room) {
		room <- struct{}{}
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// drain takes and commits all that is there, and returns the bodies.
func drain(t *testing.T, c channel.Channel) (all []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	taker := c.Taker()
	defer taker.Close()
	taker.Last()
	for {
		got, err := taker.Take(ctx)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("draining, after %d events: %v", len(all), err)
		}
		for e := range got.Batch().All() {
			all = append(all, string(e.Body))
		}
		channeltest.Commit(t, got)
	}
}

// wantNumbers checks that the bodies are 0..n-1 in order, each once.
func wantNumbers(t *testing.T, got []string, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("got %d events; want %d", len(got), n)
	}
	for i, body := range got {
		if body != fmt.Sprint(i) {
			t.Errorf("event %d is %s", i, body)
			return
		}
	}
}
