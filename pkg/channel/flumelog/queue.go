package flumelog

// queue is the channel's queue while the logs are replayed: in order, and each
// event can be taken out of the middle at once.
type queue struct {
	order []pointer // 0 where one was taken out
	place map[pointer]int
}

func newQueue(order []pointer) *queue {
	q := &queue{place: make(map[pointer]int, len(order))}
	for _, p := range order {
		q.add(p)
	}
	return q
}

// add puts p at the end, unless it is in the queue already.
func (q *queue) add(p pointer) {
	if _, ok := q.place[p]; ok || p == 0 {
		return
	}
	q.place[p] = len(q.order)
	q.order = append(q.order, p)
}

// remove takes p out and reports whether it was in the queue.
func (q *queue) remove(p pointer) bool {
	i, ok := q.place[p]
	if !ok {
		return false
	}
	q.order[i] = 0
	delete(q.place, p)
	if gaps := len(q.order) - len(q.place); gaps > 1024 && gaps > len(q.order)/2 {
		q.compact()
	}
	return true
}

func (q *queue) compact() {
	kept := q.order[:0]
	for _, p := range q.order {
		if p != 0 {
			q.place[p] = len(kept)
			kept = append(kept, p)
		}
	}
	q.order = kept
}
