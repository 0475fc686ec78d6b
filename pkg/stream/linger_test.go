package stream_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flumekit/flumekit/pkg/stream"
)

func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, asked := context.WithCancel(t.Context())
		ctx, cancel := stream.Linger(stop)
		defer cancel()
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Fatal("done before anybody asked")
		}
		asked()
		start := time.Now()
		<-ctx.Done()
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("done %v after stop; want 1s", waited)
		}
	})
}
