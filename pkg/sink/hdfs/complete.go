package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// looks are the times between looks at a file that cannot be completed yet: short
// while its lease lasts and its last block is recovered, then longer.
type looks struct {
	begun time.Time
	pause time.Duration
}

const (
	leaseWait     = 5 * time.Second
	mostLeaseWait = time.Minute
	watched       = 2 * time.Minute
)

func (l *looks) next() time.Duration {
	switch {
	case l.begun.IsZero():
		l.begun, l.pause = time.Now(), leaseWait
	case time.Since(l.begun) > watched:
		l.pause = min(2*l.pause, mostLeaseWait)
	}
	return l.pause
}

// At the end a file that was given up is waited for a little longer: to recover
// its last block takes a few heartbeats of a data node, with a look each second.
const (
	lastWait  = 10 * time.Second
	lastPause = time.Second
)

// complete closes a file and gives it its final name, and tries again for as
// long as the options say. A spoiled file is cut back to what was delivered.
func (k *buckets) complete(out *output, spoiled bool) {
	defer k.inUse.remove(out.path)
	if spoiled || out.number == 0 {
		k.giveUp(out)
		return
	}
	tries := int(k.opt.CloseTries)
	if k.opt.RetryInterval <= 0 {
		tries = 1
	}
	for try := 1; ; try++ {
		err := k.tryComplete(out)
		if err == nil {
			return
		}
		k.log.Warn().Err(err).Str("file", out.path).Int("try", try).Msg("The file could not be completed.")
		if errors.Is(err, errSpoiled) {
			break
		}
		if try == tries || !k.wait(k.opt.RetryInterval.Duration()) {
			break
		}
	}
	if !out.settled {
		k.giveUp(out)
		return
	}
	k.fail(fmt.Errorf("%s is complete and could not be renamed to %s", out.path, out.name.final()))
}

// tryComplete closes the file, unless that is done, and renames it.
func (k *buckets) tryComplete(out *output) error {
	k.slots <- struct{}{}
	defer func() { <-k.slots }()
	if !out.settled {
		if err := out.complete(context.Background()); err != nil {
			return fmt.Errorf("closing: %w", err)
		}
		out.settled = true
	}
	return out.call(context.Background(), func(ctx context.Context) error {
		return settle(ctx, k.fs, out.path, &out.name)
	})
}

// wait waits, and reports whether that was not cut short.
func (k *buckets) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-k.stopping:
		return false
	}
}

// giveUp abandons a file that cannot be written to or closed. When nobody has
// it any more it is cut back to what was delivered and renamed.
func (k *buckets) giveUp(out *output) {
	if out.pending != nil {
		select {
		case <-out.pending:
		case <-k.stopping:
		}
	}
	out.abandon()
	var last time.Time
	var looks looks
	for first := true; ; first = false {
		err := k.tryGiveUp(out)
		if err == nil {
			return
		}
		if first && !errors.Is(err, errInUse) {
			k.log.Warn().Err(err).Str("file", out.path).Msg("The file was given up, and cannot be completed yet.")
		}
		if !k.wait(looks.next()) && !(errors.Is(err, errInUse) && linger(&last)) {
			break
		}
	}
	k.log.Warn().Str("file", out.path).Int64("bytes", out.delivered).Msg("The file is left in use. The next start completes it.")
}

// linger waits for a look at the end, and reports whether there is time for one.
func linger(last *time.Time) bool {
	if last.IsZero() {
		*last = time.Now().Add(lastWait)
	}
	time.Sleep(lastPause)
	return time.Now().Before(*last)
}

func (k *buckets) tryGiveUp(out *output) error {
	k.slots <- struct{}{}
	defer func() { <-k.slots }()
	return within(context.Background(), k.opt.CallTimeout.Duration(), out.path, make(chan struct{}), func(ctx context.Context) error {
		if out.delivered == 0 {
			err := k.fs.remove(ctx, out.path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := k.fs.release(ctx, out.path, true); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := k.fs.truncate(ctx, out.path, out.delivered); err != nil {
			return err
		}
		if err := settle(ctx, k.fs, out.path, &out.name); err != nil {
			return err
		}
		k.log.Warn().Str("file", out.name.final()).Int64("bytes", out.delivered).Msg("The file could not be written to any more, and ends with what was delivered.")
		return nil
	})
}

// fail keeps an error for Close.
func (k *buckets) fail(err error) {
	k.failed.Lock()
	defer k.failed.Unlock()
	k.failed.errs = append(k.failed.errs, err)
}

// paths counts who has a path in use.
type paths struct {
	mu  sync.Mutex
	set map[string]int
}

func (p *paths) add(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.set == nil {
		p.set = make(map[string]int)
	}
	p.set[path]++
}

func (p *paths) remove(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.set[path]--; p.set[path] == 0 {
		delete(p.set, path)
	}
}

func (p *paths) has(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set[path] > 0
}
