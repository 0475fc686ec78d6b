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

// freeBytes is how much an empty store is trimmed for. Less stays until the
// channel rests or is closed: it is in nobody's way, and a trim costs some syncs.
const freeBytes = 1 << 20

// moment is when the janitor tidies up.
type moment int

const (
	busy    moment = iota // something has just changed
	paused                // idlePause later
	resting               // nothing has changed for longPause
)

// tendStore is the janitor: it trims the store when enough has been taken for
// good, and a moment after things have changed syncs the ledger, trims what is
// empty and looks whether there is room on the disk again.
func (c *Queue) tendStore() {
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
			c.tidy(busy)
		case <-pause.C:
			pausing = false
			c.tidy(paused)
		case <-rest.C:
			c.tidy(resting)
			runtime.GC() // what pools hold survives one collection
			debug.FreeOSMemory()
		}
	}
}

// tidy trims the store if that is worth its cost, and else sees that the ledger
// is synced.
func (c *Queue) tidy(when moment) {
	c.mu.Lock()
	if when == paused && c.waiting.len() > 0 {
		c.admitWaiting()
		c.touch()
	}
	floor := c.pos.floor()
	var worthIt bool
	switch when {
	case busy:
		worthIt = c.untrimmed >= c.conf.TrimBytes
	case paused: // where all is taken, nothing is left that would be moved
		worthIt = c.untrimmed >= c.conf.TrimBytes || c.untrimmed >= freeBytes && floor == c.pos.put
	case resting:
		worthIt = c.untrimmed > 0
	}
	ledger, err := c.ledger, c.err
	var beyond []uint64
	if worthIt {
		beyond, c.beyond = c.beyond, nil
		c.untrimmed = 0
	}
	c.mu.Unlock()
	switch {
	case err != nil:
	case worthIt:
		err = c.trim(c.ctx, floor)
		for _, seq := range beyond {
			if err == nil && seq > floor {
				err = c.remover.Remove(c.ctx, seq)
			}
		}
	case when == paused && ledger != nil:
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
func (c *Queue) trim(ctx context.Context, floor uint64) error {
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
