package kafka

import (
	"context"
	"io"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// lookTime is how often a last taker looks at what other members of the group
// have committed.
const lookTime = 250 * time.Millisecond

// taker takes parts for one receiver.
type taker struct {
	c    *topicChannel
	ctx  context.Context // of the look for the end
	stop context.CancelFunc

	// under the group's mu, once there is a group:
	closed bool
	held   map[*part]bool
	// ends are the extents of all partitions when the taker became the last;
	// nil if it is not, or they are not known yet. theirs are the offsets that
	// the group had since.
	ends   map[int32]extent
	theirs map[int32]int64
}

// take is a part in a taker's hands.
type take struct {
	t    *taker
	g    *group
	part *part
}

// Take implements channel.Taker.
func (t *taker) Take(ctx context.Context) (channel.Take, error) {
	g, err := t.c.join()
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, g.wake)()
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if err := t.usable(ctx, g); err != nil {
			return nil, err
		}
		if p := g.take(); p != nil {
			t.held[p] = true
			return &take{t: t, g: g, part: p}, nil
		}
		if t.ends != nil && g.reached(t.ends, t.theirs) {
			return nil, io.EOF
		}
		g.changed.Wait()
	}
}

// usable returns why nothing can be taken. g.mu is held.
func (t *taker) usable(ctx context.Context, g *group) error {
	if t.closed || g.closing {
		return channel.ErrClosed
	}
	if err := t.c.unusable(); err != nil {
		return err
	}
	return ctx.Err()
}

// Last implements channel.Taker: Take ends when what was in the topic at the
// time is committed, by this process or another member of the group.
func (t *taker) Last() {
	g, err := t.c.join()
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closing {
		g.work.Go(func() { t.lookForEnd(g) })
	}
}

func (t *taker) lookForEnd(g *group) {
	ticker := time.NewTicker(lookTime)
	defer ticker.Stop()
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	var ends map[int32]extent
	for {
		var err error
		if ends == nil {
			ends, err = t.c.ends(ctx)
		}
		var theirs map[int32]int64
		if err == nil {
			theirs, err = t.c.offsets(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.c.link.complain("looking for the end of the topic", err)
		} else {
			g.mu.Lock()
			t.ends, t.theirs = ends, theirs
			g.changed.Broadcast()
			g.mu.Unlock()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// reached says whether all up to ends is committed: by this process where it has
// the partition, else by the others. g.mu is held.
func (g *group) reached(ends map[int32]extent, theirs map[int32]int64) bool {
	latest := g.c.opt.offsetReset() == "latest"
	for id, end := range ends {
		p := g.partitions[id]
		switch {
		case end.first == end.last:
		case p == nil || p.away:
			if theirs[id] < end.last {
				return false
			}
		case len(p.parts) > 0:
			return false
		case p.next < end.last && !(p.next < 0 && latest):
			return false
		}
	}
	return g.hands == 0
}

// Close implements channel.Taker.
func (t *taker) Close() {
	t.stop()
	t.c.takerGone(t)
}

// letGo gives back all that the taker has, and reports whether it was open.
func (t *taker) letGo(g *group) bool {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		defer g.changed.Broadcast()
		for p := range t.held {
			g.giveBack(p)
		}
		clear(t.held)
	}
	was := !t.closed
	t.closed = true
	return was
}

// Batch implements channel.Take.
func (t *take) Batch() *event.Batch { return t.part.batch }

// Commit implements channel.Take. Offsets are a partition's, not a record's: while
// something before the batch is in a taker's hands, the batch is noted as
// committed, and is so in Kafka together with that.
//
// Flume: a commit that fails is logged, and the events are delivered again.
func (t *take) Commit() error {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	if !t.end() || t.g.closing {
		return channel.ErrClosed
	}
	return t.g.delivered(t.part)
}

// Return implements channel.Take.
func (t *take) Return() {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	if t.end() {
		t.g.giveBack(t.part)
	}
}

// end takes the part out of the taker's hands and reports whether it was there.
// The group's mu is held.
func (t *take) end() bool {
	if !t.t.held[t.part] {
		return false
	}
	delete(t.t.held, t.part)
	return true
}
