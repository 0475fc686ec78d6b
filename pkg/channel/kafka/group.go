package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/flumekit/flumekit/pkg/event"
)

const (
	// aheadBytes is how much is fetched ahead of the takers, besides what the
	// client has in hand.
	aheadBytes = 8 << 20
	// pollRecords is how many records are taken from the client at a time.
	pollRecords = mostEvents
	// graceTime is how long takers have to commit what they have of
	// partitions that go away.
	graceTime = 3 * time.Second
	// pauseTime is the pause after a failure of fetching or committing.
	pauseTime = 500 * time.Millisecond
)

// group is this process's place in the consumer group: the partitions it has,
// and what was fetched of them.
type group struct {
	c      *topicChannel
	client *kgo.Client
	ctx    context.Context // of the work in the background
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu         sync.Mutex
	changed    sync.Cond
	partitions map[int32]*partition
	seq        uint64
	ready      []*part // to be handed out, in order of seq; returned ones among them
	ahead      int     // the cost of ready
	hands      int     // parts in takers' hands
	closing    bool
	closed     bool
}

func newGroup(c *topicChannel) (*group, error) {
	g := &group{c: c, partitions: make(map[int32]*partition)}
	g.changed.L = &g.mu
	g.ctx, g.stop = context.WithCancel(context.Background())
	var err error
	g.client, err = kgo.NewClient(append(slices.Clone(c.consumer),
		kgo.OnPartitionsAssigned(g.assigned),
		kgo.AdjustFetchOffsetsFn(g.resume),
		kgo.OnPartitionsRevoked(g.revoked),
		kgo.OnPartitionsLost(g.lose))...)
	if err != nil {
		g.stop()
		return nil, err
	}
	g.work.Go(g.fetch)
	g.work.Go(g.commit)
	return g, nil
}

// fetch takes what the client has fetched, for as long as there is room.
func (g *group) fetch() {
	for g.awaitRoom() {
		fetches := g.client.PollRecords(g.ctx, pollRecords)
		if g.ctx.Err() != nil {
			g.client.AllowRebalance()
			return
		}
		var parts []*part
		var failed error
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if f.Err != nil {
				failed = f.Err
			}
			parts = append(parts, g.decode(f)...)
		})
		g.mu.Lock()
		for _, p := range parts {
			g.file(p)
		}
		g.changed.Broadcast()
		g.mu.Unlock()
		g.client.AllowRebalance()
		if failed != nil {
			g.fetchFailed(failed)
		}
	}
}

// awaitRoom waits until takers have taken enough for more to be fetched. It
// reports false at the end.
func (g *group) awaitRoom() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.ahead >= aheadBytes && !g.closing {
		g.changed.Wait()
	}
	return !g.closing
}

// fetchFailed fails the channel where it is of no use any more, or waits a while.
func (g *group) fetchFailed(err error) {
	var loss *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		return
	case errors.As(err, &loss):
		g.c.log.Error().Msgf("The brokers have lost records of topic %s: partition %d goes on at offset %d, after %d", loss.Topic, loss.Partition, loss.ResetTo, loss.ConsumedTo)
		return
	case refused(err):
		g.c.fail(fmt.Errorf("taking from topic %s: %w", g.c.opt.Topic, err))
		g.wake()
	default:
		g.c.link.complain("takes wait", err)
	}
	g.pause()
}

// wake makes everyone who waits look again.
func (g *group) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed.Broadcast()
}

// pause waits a little, or until the end.
func (g *group) pause() {
	select {
	case <-time.After(pauseTime):
	case <-g.ctx.Done():
	}
}

// refused says whether err is one that only a person can mend.
func refused(err error) bool {
	for _, e := range []error{
		kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.InconsistentGroupProtocol,
		kerr.FencedInstanceID, kerr.InvalidGroupID, kerr.InvalidSessionTimeout,
		kerr.OffsetOutOfRange,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// decode makes parts of what was fetched of one partition, each of at most
// mostEvents events and, but for a larger one, mostBytes bytes.
func (g *group) decode(f kgo.FetchTopicPartition) (parts []*part) {
	var last *part
	malformed := 0
	var why error
	for _, r := range f.Records {
		if last == nil || last.batch.Len() >= mostEvents || last.batch.Size()+len(r.Value) > mostBytes && last.batch.Len() > 0 {
			last = &part{from: r.Offset, batch: new(event.Batch), of: &partition{id: f.Partition}}
			parts = append(parts, last)
		}
		last.next, last.epoch = r.Offset+1, r.LeaderEpoch
		if r.Attrs.IsControl() {
			continue
		}
		e, err := g.c.codec.event(r)
		if err != nil {
			malformed++
			why = err
		}
		last.batch.Append(e)
	}
	if malformed > 0 {
		g.c.link.complain(fmt.Sprintf("reading partition %d of topic %s: records are no Flume events, and are handed out with the header %s",
			f.Partition, g.c.opt.Topic, malformedHeader), why)
	}
	return parts
}

// file adds a part to those that are to be handed out. g.mu is held, and the
// client lets no partition go.
func (g *group) file(p *part) {
	of := g.partitions[p.of.id]
	if of == nil || of.lost {
		return
	}
	p.of = of
	if of.next >= 0 && p.from > of.next && g.c.opt.Consumer.IsolationLevel == "read_uncommitted" {
		g.c.log.Warn().Msgf("Offsets %d to %d of partition %d of topic %s are not in the topic any more: they were deleted, by its retention, before they were taken",
			of.next, p.from-1, of.id, g.c.opt.Topic)
	}
	of.next, of.epoch = p.next, p.epoch
	if p.batch.Len() == 0 {
		p.state = committed
		of.parts = append(of.parts, p)
		return
	}
	if g.join(p) {
		return
	}
	g.seq++
	p.seq = g.seq
	of.parts = append(of.parts, p)
	g.ready = append(g.ready, p)
	g.ahead += p.cost()
}

// join adds p to the newest part, if that is of its partition and both are
// small. g.mu is held.
func (g *group) join(p *part) bool {
	if len(g.ready) == 0 {
		return false
	}
	last := g.ready[len(g.ready)-1]
	if last.of != p.of || last.of.parts[len(last.of.parts)-1] != last ||
		last.batch.Len()+p.batch.Len() > mostEvents || last.batch.Size()+p.batch.Size() > mostBytes/4 || last.handed {
		return false
	}
	last.batch.AppendBatch(p.batch)
	last.next, last.epoch = p.next, p.epoch
	g.ahead += p.batch.Size()
	return true
}

// take removes and returns the first part that can be handed out, nil if there
// is none. g.mu is held.
func (g *group) take() *part {
	for i, p := range g.ready {
		if p.of.away || p.of.revoking {
			continue
		}
		g.ready = slices.Delete(g.ready, i, i+1)
		g.ahead -= p.cost()
		p.state, p.handed = inHand, true
		g.hands++
		g.changed.Broadcast()
		return p
	}
	return nil
}

// giveBack puts p in its place among those to be handed out, which is before
// all that was fetched after it. g.mu is held.
func (g *group) giveBack(p *part) {
	g.hands--
	g.changed.Broadcast()
	p.state = waiting
	if p.of.lost || p.next <= p.of.committed {
		return
	}
	i, _ := slices.BinarySearchFunc(g.ready, p.seq, func(e *part, seq uint64) int {
		if e.seq < seq {
			return -1
		}
		return 1
	})
	g.ready = slices.Insert(g.ready, i, p)
	g.ahead += p.cost()
}

// delivered notes that a taker has committed p, and waits until the group has
// where it can. g.mu is held.
func (g *group) delivered(p *part) error {
	g.hands--
	p.state = committed
	g.changed.Broadcast()
	of := p.of
	if of.lost {
		g.c.log.Warn().Msgf("Partition %d of topic %s went to another member of the group before %d of its events were committed here; it delivers them again",
			of.id, g.c.opt.Topic, p.batch.Len())
		return nil
	}
	of.err = nil
	for {
		switch {
		case g.closed:
			return errLost
		case of.err != nil:
			return of.err
		case of.lost, of.away, of.committed >= p.next:
			return nil
		}
		if offset, _, _ := of.committable(); offset < p.next {
			return nil // something before it is not committed
		}
		g.changed.Wait()
	}
}

// commit commits to the group what takers have, all that there is at a time.
func (g *group) commit() {
	for {
		offsets := g.awaitNews()
		if offsets == nil {
			return
		}
		err := g.commitOffsets(offsets)
		switch {
		case err == nil:
			continue
		case g.ctx.Err() != nil:
			return
		case refused(err):
			g.c.fail(fmt.Errorf("committing offsets of group %s: %w", g.c.opt.Consumer.GroupID, err))
			g.wake()
		default:
			g.c.link.complain("commits wait", err)
		}
		g.pause()
	}
}

// awaitNews waits until there are offsets to commit, and returns them; nil at
// the end.
func (g *group) awaitNews() map[int32]kgo.EpochOffset {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed {
		offsets := make(map[int32]kgo.EpochOffset)
		for id, p := range g.partitions {
			if p.away || p.lost {
				continue
			}
			if offset, epoch, news := p.committable(); news {
				offsets[id] = kgo.EpochOffset{Epoch: epoch, Offset: offset}
			}
		}
		if len(offsets) > 0 {
			return offsets
		}
		g.changed.Wait()
	}
	return nil
}

// commitOffsets commits offsets. It returns an error where it is to be tried
// again.
func (g *group) commitOffsets(offsets map[int32]kgo.EpochOffset) error {
	// Until the answer is here the group cannot be joined anew, so that what
	// is ours when the request is made is ours when it is answered.
	ctx := kgo.PreCommitFnContext(g.ctx, g.keepOurs)
	var again error
	topic := g.c.opt.Topic
	g.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			if errors.Is(err, errNothing) {
				return
			}
			if err != nil {
				again = g.commitFailed(err, offsets)
				return
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			defer g.changed.Broadcast()
			for _, t := range resp.Topics {
				for _, each := range t.Partitions {
					p := g.partitions[each.Partition]
					if p == nil {
						continue
					}
					err := kerr.ErrorForCode(each.ErrorCode)
					switch {
					case err == nil:
						p.forget(offsets[each.Partition].Offset)
					case refused(err):
						p.err = fmt.Errorf("committing offsets of group %s: %w", g.c.opt.Consumer.GroupID, err)
						again = err
					default: // a rebalance is under way, or the coordinator moves
						again = err
					}
				}
			}
		})
	return again
}

// errNothing ends a commit of which nothing is left.
var errNothing = errors.New("nothing to commit")

// keepOurs takes out of a commit what this process does not have any more.
func (g *group) keepOurs(req *kmsg.OffsetCommitRequest) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := 0
	for i := range req.Topics {
		t := &req.Topics[i]
		t.Partitions = slices.DeleteFunc(t.Partitions, func(each kmsg.OffsetCommitRequestTopicPartition) bool {
			p := g.partitions[each.Partition]
			return p == nil || p.away || p.lost
		})
		left += len(t.Partitions)
	}
	if left == 0 {
		return errNothing
	}
	return nil
}

// commitFailed tells those who wait for a commit that it is refused, or returns
// the error where it is to be tried again.
func (g *group) commitFailed(err error, offsets map[int32]kgo.EpochOffset) error {
	if !refused(err) {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range offsets {
		if p := g.partitions[id]; p != nil {
			p.err = fmt.Errorf("committing offsets of group %s: %w", g.c.opt.Consumer.GroupID, err)
		}
	}
	g.changed.Broadcast()
	return err
}

// assigned is called when the partitions of the next while are known: those that
// went away and are not among them are lost.
func (g *group) assigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, p := range g.partitions {
		if p.away && !slices.Contains(added[g.c.opt.Topic], id) {
			g.drop(p)
		}
	}
}

// resume says where partitions that were added are fetched from: where this
// process was if it had them before and still has what follows the group's offset,
// else at that.
func (g *group) resume(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	topic := offsets[g.c.opt.Topic]
	for id, offset := range topic {
		at := max(-1, offset.EpochOffset().Offset)
		p := g.partitions[id]
		if p != nil && p.next >= 0 && p.knows(at) {
			g.goOn(p, at)
			topic[id] = kgo.NewOffset().At(p.next).WithEpoch(-1)
			continue
		}
		if p != nil {
			g.drop(p)
		}
		g.partitions[id] = &partition{id: id, next: at, committed: at, epoch: -1}
	}
	g.changed.Broadcast()
	return offsets, nil
}

// goOn takes up partition p again, whose offset in the group is at. That may be
// what this process committed last, without hearing of it. g.mu is held.
func (g *group) goOn(p *partition, at int64) {
	p.away = false
	p.committed = at
	p.parts = slices.DeleteFunc(p.parts, func(each *part) bool { return each.next <= at })
	g.ready = slices.DeleteFunc(g.ready, func(each *part) bool {
		if each.of != p || each.next > at {
			return false
		}
		g.ahead -= each.cost()
		return true
	})
}

// revoked is called before partitions go away. Takers have a while to commit
// what they have of them.
func (g *group) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ids := gone[g.c.opt.Topic]
	var leaving []*partition
	for _, id := range ids {
		if p := g.partitions[id]; p != nil {
			p.revoking = true
			leaving = append(leaving, p)
		}
	}
	g.waitWhile(graceTime, func() bool {
		return !g.closing && slices.ContainsFunc(leaving, (*partition).busy)
	})
	for _, p := range leaving {
		p.away, p.revoking = true, false
	}
	g.changed.Broadcast()
}

// lose is called when partitions were taken away.
func (g *group) lose(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range gone[g.c.opt.Topic] {
		if p := g.partitions[id]; p != nil {
			p.away = true
		}
	}
	g.changed.Broadcast()
}

// drop forgets a partition that another member has. g.mu is held.
func (g *group) drop(p *partition) {
	p.lost = true
	delete(g.partitions, p.id)
	g.ready = slices.DeleteFunc(g.ready, func(each *part) bool {
		if each.of == p {
			g.ahead -= each.cost()
			return true
		}
		return false
	})
	if n := p.events(committed); n > 0 {
		g.c.log.Warn().Msgf("Partition %d of topic %s went to another member of the group before %d of its events were committed there; it delivers them again",
			p.id, g.c.opt.Topic, n)
	}
	g.changed.Broadcast()
}

// close leaves the group. What is not committed is for its other members.
func (g *group) close() {
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		return
	}
	g.closing = true
	g.changed.Broadcast()
	g.waitWhile(graceTime, g.hasNews)
	g.closed = true
	g.changed.Broadcast()
	g.mu.Unlock()
	g.stop()
	g.client.CloseAllowingRebalance()
	g.work.Wait()
}

// waitWhile waits while busy says so, but no longer than most. g.mu is held.
func (g *group) waitWhile(most time.Duration, busy func() bool) {
	over := false
	timer := time.AfterFunc(most, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		over = true
		g.changed.Broadcast()
	})
	defer timer.Stop()
	for !over && busy() {
		g.changed.Wait()
	}
}

// hasNews says whether there is something to commit. g.mu is held.
func (g *group) hasNews() bool {
	for _, p := range g.partitions {
		if _, _, news := p.committable(); news && !p.away && p.err == nil {
			return true
		}
	}
	return false
}
