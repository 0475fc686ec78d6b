package flumelog

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
)

// replay is the state of the channel while its records are read in write order.
type replay struct {
	logs  map[int32]*logFile
	queue *queue
	open  map[int64]*transaction
	takes map[int64][]pointer // of the transactions that were open at the checkpoint

	// early are puts whose take was committed before they were. Flume's clock
	// gives such an order when several data directories are in use.
	early map[pointer]bool

	firsts map[int32]int64 // write order of the first whole record in each log
	doubts []doubt
}

// doubt is damage that may have been the end of a transaction. before is the write
// order of the next whole record in the log, 0 if there is none.
type doubt struct {
	log    int32
	before int64
}

// transaction is one whose end has not been met.
type transaction struct {
	events []pointer
	puts   bool
	dir    int
	first  int64 // write order of its first record
}

// replay reads the logs from the checkpoint on and sets c.queue.
func (c *Channel) replay(ctx context.Context, cp *checkpoint) error {
	r := &replay{
		logs:   c.logs,
		queue:  newQueue(cp.queue),
		open:   make(map[int64]*transaction),
		takes:  cp.takes,
		early:  make(map[pointer]bool),
		firsts: make(map[int32]int64),
	}
	for txn, events := range cp.puts {
		t := &transaction{events: events, puts: true, dir: -1, first: cp.order}
		if l := c.logs[events[0].log()]; l != nil {
			t.dir = l.dir
		}
		r.open[txn] = t
	}
	var m merge
	for id, l := range c.logs {
		l.seek(cp.order)
		if err := c.push(&m, r, id, l); err != nil {
			return err
		}
	}
	for n := 0; len(m) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e := m[0]
		if e.order > cp.order {
			r.apply(e)
		}
		heap.Pop(&m)
		if err := c.push(&m, r, e.log, c.logs[e.log]); err != nil {
			return err
		}
	}
	c.queue = r.result()
	return nil
}

// push reads the next record of a log into the merge.
func (c *Channel) push(m *merge, r *replay, id int32, l *logFile) error {
	before := len(c.damage)
	rec, at, err := l.next(&c.damage)
	for _, d := range c.damage[before:] {
		c.lost[pointerTo(id, d.Offset)] = true
	}
	if len(c.damage) > before {
		r.doubts = append(r.doubts, doubt{id, rec.order})
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, ok := r.firsts[id]; !ok {
		r.firsts[id] = rec.order
	}
	heap.Push(m, entry{record: rec, log: id, at: at})
	return nil
}

func (r *replay) apply(e entry) {
	switch e.kind {
	case put:
		t := r.transaction(e)
		t.puts = true
		t.events = append(t.events, pointerTo(e.log, e.at))
	case take:
		t := r.transaction(e)
		t.events = append(t.events, e.taken)
	case rollback:
		delete(r.open, e.txn)
	case commit:
		var events []pointer
		if t := r.open[e.txn]; t != nil {
			events = t.events
			delete(r.open, e.txn)
		}
		if e.commit == put {
			r.put(events)
			return
		}
		delete(r.takes, e.txn)
		r.take(events)
	}
}

func (r *replay) transaction(e entry) *transaction {
	t := r.open[e.txn]
	if t == nil {
		t = &transaction{dir: r.logs[e.log].dir, first: e.order}
		r.open[e.txn] = t
	}
	return t
}

func (r *replay) put(events []pointer) {
	for _, p := range events {
		if r.early[p] {
			delete(r.early, p)
			continue
		}
		r.queue.add(p)
	}
}

// take takes events out of the queue. One that is not in it was put in a log that
// has been deleted since, or will be put yet, or was in flight at the checkpoint
// and rolled back after it.
//
// Flume: delivers an event of the last kind again, though it has been taken.
func (r *replay) take(events []pointer) {
	for _, p := range events {
		if r.queue.remove(p) || r.undo(p) {
			continue
		}
		if r.logs[p.log()] != nil {
			r.early[p] = true
		}
	}
}

// undo takes p out of the takes that were in flight at the checkpoint.
func (r *replay) undo(p pointer) bool {
	for txn, events := range r.takes {
		if i, ok := slices.BinarySearch(events, p); ok {
			r.takes[txn] = slices.Delete(events, i, i+1)
			return true
		}
	}
	return false
}

// result returns the queue after the last record.
//
// Flume: puts the events of takes that were in flight at the checkpoint at the
// head in the order of a hash table; here the oldest goes first.
func (r *replay) result() []pointer {
	open := slices.SortedFunc(maps.Values(r.open), func(a, b *transaction) int { return cmp.Compare(a.first, b.first) })
	for _, t := range open {
		if t.puts && t.first < r.doubtful(t.dir) {
			r.put(t.events)
		}
	}
	head := slices.Sorted(func(yield func(pointer) bool) {
		for _, events := range r.takes {
			for _, p := range events {
				if !yield(p) {
					return
				}
			}
		}
	})
	r.queue.compact()
	return slices.Concat(slices.Compact(head), r.queue.order)
}

// doubtful returns the write order before which the end of a transaction in a
// directory may have been lost to damage. After damage at a log's end that is where
// the directory's next log starts.
func (r *replay) doubtful(dir int) int64 {
	most := int64(math.MinInt64)
	for _, d := range r.doubts {
		if r.logs[d.log].dir != dir {
			continue
		}
		before := d.before
		if before == 0 {
			before = math.MaxInt64
			for id, first := range r.firsts {
				if id > d.log && r.logs[id].dir == dir {
					before = min(before, first)
				}
			}
		}
		most = max(most, before)
	}
	return most
}

// entry is a record and where it is.
type entry struct {
	record
	log int32
	at  int64
}

// merge is a heap with the next record of each log.
type merge []entry

func (m merge) Len() int           { return len(m) }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(entry)) }
func (m merge) Less(i, j int) bool { return m[i].compare(m[j].record) < 0 }

func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// compare orders records as they were written. The write order settles it but in
// logs of Flume 1.2, where records of one transaction may share it.
func (rec record) compare(other record) int {
	return cmp.Or(
		cmp.Compare(rec.order, other.order),
		cmp.Compare(rec.txn, other.txn),
		cmp.Compare(rec.kind.rank(), other.kind.rank()),
	)
}

// rank puts takes and puts before the end of their transaction.
func (k kind) rank() int {
	return [...]int{put: 1, take: 0, rollback: 2, commit: 3}[k]
}
