package jetstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
)

// forwarder brings what an edge holds to the stream at the hub, in order and one
// message at a time. Batches that wait are joined, so that a long way to the hub
// costs one round trip for many.
type forwarder struct {
	opt      *Options
	link     *link
	checks   bool // the hub's JetStream API can be reached: look at the stream first
	limit    int  // most bytes of a message
	diary    *diary
	previous group // what may have been sent before this process began

	mu   sync.Mutex
	held error // why nothing is forwarded just now; nil: it is
}

// group is the batches that are joined to one message, by their first and last
// place in the store.
type group struct{ first, last uint64 }

func (o *Options) newForwarder(l *link, e *edge) (*forwarder, error) {
	d, err := openDiary(o.Edge)
	if err != nil {
		return nil, err
	}
	return &forwarder{
		opt:      o,
		link:     l,
		checks:   !o.isLeaf() || o.Domain != "",
		limit:    e.limit,
		diary:    d,
		previous: d.group,
	}, nil
}

func (f *forwarder) close() error {
	f.link.close()
	return f.diary.close()
}

// aheadTakes is how many batches are at hand to be joined.
const aheadTakes = 32

// run forwards until ctx is done.
func (f *forwarder) run(ctx context.Context, taker channel.Taker) {
	defer taker.Close()
	if !f.prepare(ctx) {
		return
	}
	ahead := make(chan channel.Sequenced, aheadTakes)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(ahead)
		for {
			take, err := taker.Take(ctx)
			if err != nil { // the queue says itself why
				return
			}
			select {
			case ahead <- take.(channel.Sequenced):
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-done }()
	var over channel.Sequenced // taken, but not in the group any more
	for {
		takes := f.gather(ahead, &over)
		if len(takes) == 0 {
			return
		}
		if !f.known(takes) && !f.forward(ctx, takes) {
			return
		}
		for _, take := range takes {
			if err := take.Commit(); err != nil { // the queue says itself why
				return
			}
		}
	}
}

// prepare looks at the stream, until that is there and fit. It returns false
// when ctx is done.
func (f *forwarder) prepare(ctx context.Context) bool {
	for f.checks {
		s, err := f.opt.findStream(ctx, f.link)
		if err == nil {
			f.limit = min(f.limit, maxMessage(f.link.nc, s))
			break
		}
		if !f.rest(ctx, err, time.Second) {
			return false
		}
	}
	return ctx.Err() == nil
}

// rest says, once, why nothing is forwarded, and waits a little. It returns
// false when ctx is done.
func (f *forwarder) rest(ctx context.Context, why error, pause time.Duration) bool {
	if ctx.Err() == nil && f.hold(why) {
		f.link.log.Warn().Err(why).Msg("events are held, and will be forwarded when the hub takes them")
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.link.back():
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// hold notes why nothing is forwarded, nil that it is, and reports whether the one
// has become the other.
func (f *forwarder) hold(why error) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed = (f.held == nil) != (why == nil)
	f.held = why
	return changed
}

// why returns why nothing is forwarded just now, nil if it is.
func (f *forwarder) why() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held
}

// gather returns batches for one message, none at the end. What may have been
// one before it is one again.
func (f *forwarder) gather(ahead <-chan channel.Sequenced, over *channel.Sequenced) (takes []channel.Sequenced) {
	size, events := event.HeadSize, 0
	next := func() channel.Sequenced {
		if take := *over; take != nil {
			*over = nil
			return take
		}
		if len(takes) == 0 || takes[0].Seq() == f.previous.first && takes[len(takes)-1].Seq() < f.previous.last {
			return <-ahead
		}
		select {
		case take := <-ahead:
			return take
		default:
			return nil
		}
	}
	for {
		take := next()
		if take == nil {
			return takes
		}
		size += take.Batch().Size()
		events += take.Batch().Len()
		again := len(takes) > 0 && takes[0].Seq() == f.previous.first
		large := size > min(f.limit, joinBytes) || events > int(f.opt.TransactionCapacity)
		if len(takes) > 0 && (large && !again || f.parted(takes, take)) {
			*over = take
			return takes
		}
		takes = append(takes, take)
	}
}

// parted reports whether the group that may have been sent before begins or
// ends between takes and the next.
func (f *forwarder) parted(takes []channel.Sequenced, next channel.Sequenced) bool {
	last, seq := takes[len(takes)-1].Seq(), next.Seq()
	return last < f.previous.first && seq >= f.previous.first || last <= f.previous.last && seq > f.previous.last
}

// known reports whether the hub has the takes already: they are the rest of a
// group of which others were committed, and that was after its acknowledgement.
func (f *forwarder) known(takes []channel.Sequenced) bool {
	first := takes[0].Seq()
	return first > f.previous.first && first <= f.previous.last
}

// forward publishes the takes until the hub has acknowledged them. It returns
// false when ctx is done first.
func (f *forwarder) forward(ctx context.Context, takes []channel.Sequenced) bool {
	g := group{takes[0].Seq(), takes[len(takes)-1].Seq()}
	for {
		err := f.diary.note(g)
		if err == nil {
			break
		}
		if !f.rest(ctx, err, time.Second) {
			return false
		}
	}
	whole := takes[0].Batch()
	if len(takes) > 1 {
		whole = new(event.Batch)
		for _, take := range takes {
			whole.AppendBatch(take.Batch())
		}
	}
	all, ok := parts(whole, f.limit)
	if !ok {
		all = []*event.Batch{whole} // the hub's limit was lowered, and may be raised again
	}
	for i, part := range all {
		if !f.publish(ctx, f.id(g, i, part), part) {
			return false
		}
	}
	return true
}

// id returns the identifier of a message: it is the same when the message is
// made again, and another's is not the same, even if the store has been made
// anew and counts from 1 again.
func (f *forwarder) id(g group, part int, b *event.Batch) string {
	sum := binary.BigEndian.Uint32(b.Encoded()[event.HeadSize-4:])
	return fmt.Sprintf("%s-%d-%d-%d-%08x", f.diary.id, g.first, g.last, part, sum)
}

func (f *forwarder) publish(ctx context.Context, id string, b *event.Batch) bool {
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		_, err := f.link.send(f.opt.Stream, encode(f.opt.Stream, f.opt.subject(), id, b))
		if err == nil {
			break
		}
		if errors.Is(err, errTooLarge) {
			err = tooLarge(b, f.limit)
		}
		if !f.rest(ctx, err, pause) {
			return false
		}
	}
	if f.hold(nil) {
		f.link.log.Info().Msgf("events are forwarded to %s", strings.ReplaceAll(f.link.url, ",", ", "))
	}
	return true
}
