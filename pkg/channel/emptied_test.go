package channel_test

import (
	"os"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// TestStoreThatIsGone has everything lost that was in the store, some of it taken
// and some of it in hand: nothing counts as held any more, and the channel goes on.
func TestStoreThatIsGone(t *testing.T) {
	for _, test := range []struct {
		name          string
		taken, inHand int // of 5 messages of 2 events
		lost          uint64
	}{
		{"nothing taken", 0, 0, 10},
		{"some taken", 2, 0, 6},
		{"some in hand", 2, 2, 6},
		{"all in hand", 0, 5, 10},
		{"all taken", 5, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			conf := channel.Config{Limits: channel.Limits{Events: 10, Transaction: 2}, Store: channel.StoreConfig{Aside: dir + "/damaged"}, TrimBytes: 1 << 20}
			reopen := func() *channel.Queue {
				conf.Dir = lock(t, dir)
				c, err := channel.OpenQueue(t.Context(), embedded.Open, conf)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				return c
			}
			c := reopen()
			for range 5 {
				channeltest.Put(t, c.Putter(), "a", "b")
			}
			taker := c.Taker()
			for i := range test.taken + test.inHand {
				take, err := taker.Take(t.Context())
				if err == nil && i < test.taken {
					err = take.Commit()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			shut(t, c)
			if err := os.RemoveAll(storeDir(dir)); err != nil {
				t.Fatal(err)
			}

			for range 2 { // and what is known to be lost is not found again
				c = reopen()
				if got := c.Len(); got != 0 {
					t.Errorf("%d events are held; want none", got)
				}
				shut(t, c)
			}
			wantLost(t, dir, test.lost)
			c = reopen()
			for range 5 { // there is room for as much as ever
				channeltest.Put(t, c.Putter(), "a", "b")
			}
			if got := c.Len(); got != 10 {
				t.Errorf("%d events are held; want 10", got)
			}
		})
	}
}
