package channel

import "github.com/flumekit/flumekit/pkg/event"

// entry is a message on its way to a taker.
type entry struct {
	first  uint64 // its own first place, by which it is known
	seq    uint64
	after  uint64       // of the newest messages: the one before it; what lies between them is lost
	batch  *event.Batch // nil: it lies in the store only
	weight Totals
	totals Totals // through this message
}

// entryOverhead is about what an entry costs besides its batch's bytes.
const entryOverhead = 256

func (e *entry) cost() int {
	if e.batch == nil {
		return entryOverhead
	}
	return e.batch.Size() + entryOverhead
}

// entries is a first-in, first-out entries of entries that knows its cost in bytes.
type entries struct {
	entries []*entry
	head    int
	cost    int
}

func (q *entries) len() int { return len(q.entries) - q.head }

func (q *entries) front() *entry { return q.entries[q.head] }

func (q *entries) back() *entry { return q.entries[len(q.entries)-1] }

func (q *entries) push(e *entry) {
	if q.head > 0 && len(q.entries) == cap(q.entries) {
		n := copy(q.entries, q.entries[q.head:])
		clear(q.entries[n:])
		q.entries, q.head = q.entries[:n], 0
	}
	q.entries = append(q.entries, e)
	q.cost += e.cost()
}

func (q *entries) pop() *entry {
	e := q.entries[q.head]
	q.entries[q.head] = nil
	q.head++
	q.cost -= e.cost()
	if q.head == len(q.entries) {
		q.entries, q.head = q.entries[:0], 0
	}
	return e
}
