package jetstream

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// taker is a channel.Taker.
type taker struct {
	takes *takes

	// under takes.mu:
	last   bool
	closed bool
}

// taken is a channel.Take: a message in a taker's hands.
type taken struct {
	from *taker
	held *held
}

// held is a message that this process has: JetStream gives it to nobody else
// while we say that we are at work on it.
type held struct {
	place
	batch *event.Batch
	size  int

	// under takes.mu:
	ack        string // the subject on which the latest delivery is answered
	by         *taken // nil while no taker has it
	committing bool
}

// place is a message's in the stream. The time tells a stream from one of the
// same name that was made after it.
type place struct {
	seq  uint64
	time int64
}

func (t *takes) taker() *taker {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.takers++
	t.changed.Broadcast()
	return &taker{takes: t}
}

// mostCommits is how many commits of a taker may be under way.
const mostCommits = 64

// MostCommits implements channel.Distant.
func (k *taker) MostCommits() int { return mostCommits }

// Last implements channel.Taker.
func (k *taker) Last() {
	k.takes.mu.Lock()
	defer k.takes.mu.Unlock()
	k.last = true
	k.takes.changed.Broadcast()
}

// lastLook is how often a last taker looks whether the stream is empty.
const lastLook = 100 * time.Millisecond

// Take implements channel.Taker.
func (k *taker) Take(ctx context.Context) (channel.Take, error) {
	t := k.takes
	t.mu.Lock()
	defer t.mu.Unlock()
	defer context.AfterFunc(ctx, t.wake)()
	for {
		switch {
		case k.closed || t.closed:
			return nil, channel.ErrClosed
		case t.err != nil:
			return nil, t.err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case len(t.ready) > 0 && t.inOrder:
			h := t.ready[0]
			t.ready = slices.Delete(t.ready, 0, 1)
			t.readySize -= h.size
			h.by = &taken{from: k, held: h}
			t.hungry.signal()
			return h.by, nil
		case k.last && len(t.held) == 0:
			empty, err := t.empty(ctx)
			if empty {
				return nil, io.EOF
			}
			if err == nil || ctx.Err() == nil {
				timer := time.AfterFunc(lastLook, t.wake)
				t.changed.Wait()
				timer.Stop()
			}
		default:
			t.changed.Wait()
		}
	}
}

// empty asks whether the stream holds nothing. t.mu is held, but not while it
// asks.
func (t *takes) empty(ctx context.Context) (bool, error) {
	t.mu.Unlock()
	idle := t.channel.puts.idle()
	left, err := t.left(ctx)
	t.mu.Lock()
	return idle && err == nil && left == 0 && len(t.held) == 0, err
}

// wake makes everyone who waits look again.
func (t *takes) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed.Broadcast()
}

// Batch implements channel.Take.
func (k *taken) Batch() *event.Batch { return k.held.batch }

// Commit implements channel.Take. It returns once JetStream has confirmed that
// the message is taken for good, for which it waits while no server can be
// reached.
func (k *taken) Commit() error {
	t, h := k.from.takes, k.held
	t.mu.Lock()
	if !k.valid() {
		t.mu.Unlock()
		return channel.ErrClosed
	}
	h.committing = true
	t.mu.Unlock()

	err := t.confirm(h)

	t.mu.Lock()
	defer t.mu.Unlock()
	h.committing = false
	h.by = nil
	if err != nil {
		return err
	}
	delete(t.held, h.place)
	t.committed.add(h.place)
	t.channel.puts.hurry() // there is room now
	if len(t.held) == 0 {
		t.changed.Broadcast()
	}
	return nil
}

// valid reports whether the take is neither committed nor returned. takes.mu
// is held.
func (k *taken) valid() bool { return k.held.by == k && !k.held.committing && !k.from.takes.closed }

// Return implements channel.Take.
func (k *taken) Return() {
	t := k.from.takes
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.valid() {
		k.held.by = nil
		t.offer(k.held)
	}
}

// offer puts h in its place among what no taker has. t.mu is held.
func (t *takes) offer(h *held) {
	i, _ := slices.BinarySearchFunc(t.ready, h.seq, func(h *held, seq uint64) int {
		if h.seq < seq {
			return -1
		}
		return 1
	})
	t.ready = slices.Insert(t.ready, i, h)
	t.readySize += h.size
	t.changed.Broadcast()
}

// Close implements channel.Taker.
func (k *taker) Close() {
	t := k.takes
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.closed {
		return
	}
	k.closed = true
	t.takers--
	for _, h := range t.held {
		if h.by != nil && h.by.from == k && !h.committing {
			h.by = nil
			t.offer(h)
		}
	}
	t.changed.Broadcast()
	t.hungry.signal()
}

// recently remembers the last places that were added to it.
type recently struct {
	places map[place]struct{}
	order  []place
	next   int
}

const remembered = 1 << 14

func newRecently() *recently {
	return &recently{places: make(map[place]struct{}), order: make([]place, remembered)}
}

func (r *recently) add(p place) {
	delete(r.places, r.order[r.next])
	r.order[r.next] = p
	r.places[p] = struct{}{}
	r.next = (r.next + 1) % remembered
}

func (r *recently) has(p place) bool {
	_, ok := r.places[p]
	return ok
}

// signal is a channel that says that something has changed.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) signal() {
	select {
	case s <- struct{}{}:
	default:
	}
}
