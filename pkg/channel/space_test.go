package channel_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// TestPutsThatWaitForTheDisk has a put wait because the disk has too little room:
// that is said once, and so is its end.
func TestPutsThatWaitForTheDisk(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	log := new(channeltest.Log)
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
	done := channeltest.Begin(c.Putter(), channeltest.Batch("a"), true)
	log.Await(t, "only 5 bytes remaining")
	full.Store(false)
	if err := <-done; err != nil {
		t.Error(err)
	}
	log.Await(t, "puts have room on the disk again")
	if n := strings.Count(log.String(), "puts wait for room on the disk"); n != 1 {
		t.Errorf("it was said %d times; want once", n)
	}
}
