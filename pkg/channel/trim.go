package channel

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// The janitor tidies up idlePause after something has changed, and gives memory
// back to the system when nothing has for longPause: by then the store's caches
// are empty too.
const (
	idlePause = time.Second
	longPause = 15 * time.Second
)

// tendStore is the janitor: it trims the store when enough has been taken for
// good, and a moment after things have changed syncs the ledger, trims what is
// empty and looks whether there is room on the disk again.
func (c *Channel) tendStore() {
	pause, rest := time.NewTimer(idlePause), time.NewTimer(longPause)
	defer pause.Stop()
	defer rest.Stop()
	pausing := true
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.tend:
			if !pausing {
				pausing = true
				pause.Reset(idlePause)
				rest.Reset(longPause)
			}
			c.tidy(false)
		case <-pause.C:
			pausing = false
			c.tidy(true)
		case <-rest.C:
			runtime.GC() // what pools hold survives one collection
			debug.FreeOSMemory()
		}
	}
}

// tidy trims the store if that is worth its cost, or if it costs nothing:
// then all is taken for good, and nothing is left to be moved.
func (c *Channel) tidy(paused bool) {
	c.mu.Lock()
	if paused && c.waiting.len() > 0 {
		c.admitWaiting()
		c.touch()
	}
	floor := c.pos.floor()
	worthIt := c.untrimmed >= c.conf.TrimBytes
	free := paused && floor == c.pos.put
	ledger, err := c.ledger, c.err
	var beyond []uint64
	if worthIt || free {
		beyond, c.beyond = c.beyond, nil
		c.untrimmed = 0
	}
	c.mu.Unlock()
	switch {
	case err != nil:
	case worthIt || free:
		err = c.trim(c.ctx, floor)
		for _, seq := range beyond {
			if err == nil && seq > floor {
				err = c.remover.Remove(c.ctx, seq)
			}
		}
	case paused && ledger != nil:
		err = ledger.sync()
	}
	if err != nil && c.ctx.Err() == nil {
		c.mu.Lock()
		c.fail(err)
		c.mu.Unlock()
	}
}

// trim tells the store to forget what is taken for good. The ledger must be
// safe first: with an older one, what is forgotten would look lost.
func (c *Channel) trim(ctx context.Context, floor uint64) error {
	if c.ledger != nil {
		if err := c.ledger.sync(); err != nil {
			return err
		}
	}
	if floor <= c.trimmed {
		return nil
	}
	if err := c.store.Trim(ctx, floor); err != nil {
		return err
	}
	c.trimmed = floor
	return nil
}
