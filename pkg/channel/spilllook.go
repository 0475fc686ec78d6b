package channel

import (
	"context"
	"iter"
	"time"
)

// Stat implements Inspector. Places, what is retained, and losses are those of the
// disk.
func (s *Spill) Stat(ctx context.Context) (Stat, error) {
	mem, err := s.mem.Stat(ctx)
	if err != nil {
		return Stat{}, err
	}
	all, err := s.disk.Stat(ctx)
	if err != nil {
		return Stat{}, err
	}
	all.Held, all.Put, all.Taken = all.Held.plus(mem.Held), all.Put.plus(mem.Put), all.Taken.plus(mem.Taken)
	all.InHand.Totals = all.InHand.plus(mem.InHand.Totals)
	all.InHand.Batches += mem.InHand.Batches
	all.Capacity.Events += mem.Capacity.Events
	all.Capacity.Bytes = 0 // the disk has no bound
	if !s.overflow {
		all.Capacity = mem.Capacity
	}
	all.Oldest = earlier(all.Oldest, mem.Oldest)
	s.mu.Lock()
	defer s.mu.Unlock()
	all.Waiting += mem.Waiting + s.waiting.len()
	return all, nil
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// Browse implements Browser. Places are those of either queue.
func (s *Spill) Browse(ctx context.Context, span Span) iter.Seq2[Shown, error] {
	older, newer := s.mem, s.disk
	if !s.overflow {
		older, newer = newer, older
	}
	if span.Last == 0 {
		return merge(older.Browse(ctx, span), newer.Browse(ctx, span))
	}
	before := span.Last - newer.Len()
	if before <= 0 {
		return newer.Browse(ctx, span)
	}
	return merge(older.Browse(ctx, Span{Last: before}), newer.Browse(ctx, Span{}))
}

// merge ranges over the batches of both in the order in which they were put: with
// what is taken already, none of the queues has all the older ones.
func merge(older, newer iter.Seq2[Shown, error]) iter.Seq2[Shown, error] {
	return func(yield func(Shown, error) bool) {
		next, stop := iter.Pull2(newer)
		defer stop()
		n, newErr, ok := next()
		for o, err := range older {
			for ok && n.Time.Before(o.Time) {
				if !yield(n, newErr) {
					return
				}
				n, newErr, ok = next()
			}
			if !yield(o, err) {
				return
			}
		}
		for ok && yield(n, newErr) {
			n, newErr, ok = next()
		}
	}
}

// Purge implements Purger.
func (s *Spill) Purge(ctx context.Context) (Totals, error) {
	onDisk, err := s.disk.Purge(ctx)
	if err != nil {
		return onDisk, err
	}
	inMemory, err := s.mem.Purge(ctx)
	return onDisk.plus(inMemory), err
}
