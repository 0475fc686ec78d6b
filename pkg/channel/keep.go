package channel

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// trouble is a store that fails: its disk is full, unplugged or read-only, or a
// part of it is damaged. The channel lives on. The store is closed and opened
// again, which mends what can be mended, until it works; until then puts wait or
// are refused with the reason, and takers have what can be read.
type trouble struct {
	err   error     // nil: there is none
	since time.Time // when it began
	down  bool      // the store is not open
	pause time.Duration

	appends, reads         bool      // what has failed, and has not worked since
	appendAgain, readAgain time.Time // when they are tried again

	doubt *appending // the append that failed: nobody knows whether it is in the store
}

// The first and the longest pause between two tries.
const (
	shortPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// refusal returns why nothing can be put just now.
func (t *trouble) refusal() error {
	if t.down || t.appends && time.Now().Before(t.appendAgain) {
		return &refusal{fmt.Sprintf("the channel's store fails: %v", t.err), ErrFull}
	}
	return nil
}

// mayRead reports whether the store can be read just now.
func (t *trouble) mayRead() bool {
	return !t.down && !(t.reads && time.Now().Before(t.readAgain))
}

// takeDoubtful removes and returns the puts that wait for the store to tell
// whether it has them.
func (t *trouble) takeDoubtful() []*put {
	if t.doubt == nil {
		return nil
	}
	puts := t.doubt.puts
	t.doubt.puts = nil
	return puts
}

// errStoreClosed is what use returns while the keeper has the store.
var errStoreClosed = errors.New("the store is being opened again")

// use lends the store to f, which appends or does something else. When f fails,
// the keeper is told.
func (c *Queue) use(appends bool, f func(Store) error) error {
	c.storeMu.RLock()
	defer c.storeMu.RUnlock()
	if c.store == nil {
		return errStoreClosed
	}
	err := f(c.store)
	switch {
	case err == nil && !c.troubled.Load():
	case c.ctx.Err() != nil:
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			c.suspend(err, appends)
		} else {
			c.recovered(appends)
		}
	}
	return err
}

// suspend notes that the store has failed with err. c.mu is held.
func (c *Queue) suspend(err error, appends bool) {
	t := &c.trouble
	if t.err == nil {
		t.since, t.pause = time.Now(), shortPause
		c.troubled.Store(true)
		c.log.Error().Err(err).Msg("the channel's store fails; it is opened again until it works")
	}
	t.err, t.down = err, true
	t.appends, t.reads = t.appends || appends, t.reads || !appends
	select {
	case c.broken <- struct{}{}:
	default:
	}
}

// recovered notes that what had failed has worked. c.mu is held.
func (c *Queue) recovered(appends bool) {
	t := &c.trouble
	if appends {
		t.appends = false
	} else {
		t.reads = false
	}
	if t.err == nil || t.appends || t.reads || t.down {
		return
	}
	c.log.Warn().Msgf("the channel's store works again, after %v", time.Since(t.since).Round(time.Millisecond))
	c.trouble = trouble{}
	c.troubled.Store(false)
}

// keepStore is the keeper: it opens the store again when it has failed.
func (c *Queue) keepStore() {
	for {
		select {
		case <-c.broken:
		case <-c.ctx.Done():
			return
		}
		for !c.reopen() {
			select {
			case <-time.After(c.nextPause()):
			case <-c.failed:
				return
			case <-c.ctx.Done():
				return
			}
		}
	}
}

// nextPause returns how long to wait before the next try, longer each time.
func (c *Queue) nextPause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	pause := c.trouble.pause
	c.trouble.pause = min(2*pause, longPause)
	return pause
}

// reopen closes the store and opens it again, and reports whether it is open.
func (c *Queue) reopen() bool {
	c.storeMu.Lock()
	defer c.storeMu.Unlock()
	if err := c.closeStore(); err != nil {
		c.log.Debug().Err(err).Msg("closing the store that fails")
	}
	c.mu.Lock()
	floor := c.pos.floor()
	c.mu.Unlock()
	var found bounds
	err := c.openStore(c.ctx)
	if err == nil {
		found, err = c.findBounds(c.ctx, c.store, floor)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.settle(c.ctx, found)
	}
	switch {
	case c.ctx.Err() != nil:
		return true // the channel ends
	case errors.Is(err, ErrDamaged):
		c.fail(err)
		return false
	case err != nil:
		c.trouble.err = err
		return false
	}
	c.record()
	if c.trimmed = min(c.trimmed, found.first-1); c.trimmed < c.pos.floor() {
		// What is taken may be what fills the disk: it goes before those
		// who wait to append come back.
		c.untrimmed = max(c.untrimmed, c.conf.TrimBytes)
		c.touch()
	}
	c.resume()
	return true
}

// resume lets those who wait at the store again: whoever has failed there after
// a pause, the others at once. c.mu is held.
func (c *Queue) resume() {
	t := &c.trouble
	t.down = false
	again := time.Now().Add(t.pause)
	if t.appends {
		t.appendAgain = again
	}
	if t.reads {
		t.readAgain = again
	}
	time.AfterFunc(t.pause, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.admitWaiting()
		c.wakeAll()
	})
	t.pause = min(2*t.pause, longPause)
	c.wakeAll()
}

// openStore opens the store. c.storeMu is held.
func (c *Queue) openStore(ctx context.Context) (err error) {
	c.store, err = c.open(c.log.WithContext(ctx), c.conf.Store)
	return err
}

// closeStore closes the store. c.storeMu is held.
func (c *Queue) closeStore() error {
	if c.store == nil {
		return nil
	}
	err := c.store.Close()
	c.store = nil
	return err
}
