package channel

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// The janitor tidies up idlePause after something has changed, and gives memory
// back to the system when nothing has for restPause: by then the store's caches
// are empty too.
const (
	idlePause = time.Second
	restPause = 15 * time.Second
)

// freeBytes is how much an empty store is trimmed for. Less stays until the
// channel rests or is closed: it is in nobody's way, and a trim costs some syncs.
const freeBytes = 1 << 20

// moment is when the janitor tidies up.
type moment int

const (
	busy    moment = iota // something has just changed
	paused                // idlePause later
	resting               // nothing has changed for restPause
)

// tendStore is the janitor: it trims the store when enough has been taken for
// good, and a moment after things have changed syncs the ledger, trims what is
// empty and looks whether there is room on the disk again.
func (c *Queue) tendStore() {
	pause, rest := time.NewTimer(idlePause), time.NewTimer(restPause)
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
				rest.Reset(restPause)
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
	if when == paused {
		c.heedSpace()
	}
	floor := c.pos.floor()
	var worthIt bool
	switch when {
	case busy: // and where the disk may be full, any room is worth having
		worthIt = c.untrimmed >= c.conf.TrimBytes || c.untrimmed > 0 && c.trouble.appends
	case paused: // where all is taken, nothing is left that would be moved
		worthIt = c.untrimmed >= c.conf.TrimBytes || c.untrimmed >= freeBytes && floor == c.pos.put
	case resting:
		worthIt = c.untrimmed > 0
	}
	worthIt = worthIt && !c.trouble.down
	if worthIt {
		c.untrimmed = 0
	}
	c.mu.Unlock()
	switch {
	case worthIt:
		c.use(false, func(s Store) error { return c.trim(c.ctx, s) })
	case when == paused:
		c.syncLedger()
	}
}

// heedSpace says when puts begin to wait because of the disk, and when there is
// room again: a shell pipeline is told nothing else. c.mu is held.
func (c *Queue) heedSpace() {
	var err error
	if c.limits.Space != nil && c.waiting.len() > 0 {
		err = c.limits.Space()
	}
	switch {
	case err != nil && !c.cramped:
		c.log.Warn().Err(err).Msg("puts wait for room on the disk")
	case err == nil && c.cramped:
		c.log.Warn().Msg("puts have room on the disk again")
	}
	c.cramped = err != nil
}

// trim tells the store to forget what is taken for good, less what is to be
// retained. The ledger must be safe first: with an older one, what is forgotten
// would look lost.
func (c *Queue) trim(ctx context.Context, s Store) error {
	c.mu.Lock()
	floor, beyond, trimmed := c.pos.floor(), c.beyond, c.trimmed
	c.beyond = nil
	c.mu.Unlock()
	crashPoint("trim: begun")
	if !c.syncLedger() {
		return nil
	}
	crashPoint("trim: ledger synced")
	if c.conf.Retain > 0 && (c.limits.Space == nil || c.limits.Space() == nil) {
		kept, err := s.Since(ctx, time.Now().Add(-c.conf.Retain))
		if err != nil {
			return err
		}
		floor = min(floor, kept-1)
	}
	if floor > trimmed {
		if err := s.Trim(ctx, floor); err != nil {
			return err
		}
		c.mu.Lock()
		c.trimmed = floor
		c.mu.Unlock()
		crashPoint("trim: trimmed")
	}
	remover, ok := s.(Remover)
	if !ok || c.conf.Retain > 0 {
		return nil
	}
	for _, seq := range beyond {
		if seq <= floor {
			continue
		}
		if err := remover.Remove(ctx, seq); err != nil {
			return err
		}
	}
	return nil
}

// syncLedger makes the position safe on the disk, and reports whether it is.
func (c *Queue) syncLedger() bool {
	c.mu.Lock()
	ledger := c.ledger
	if c.ledgerBehind {
		c.record()
	}
	behind := c.ledgerBehind
	c.mu.Unlock()
	if ledger == nil {
		return true
	}
	if behind {
		return false
	}
	if err := ledger.sync(); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ledgerFailed(err)
		return false
	}
	return true
}
