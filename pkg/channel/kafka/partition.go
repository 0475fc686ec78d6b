package kafka

import (
	"slices"

	"github.com/flumekit/flumekit/pkg/event"
)

// partition is a partition of the topic that this process has in the group, or
// had.
type partition struct {
	id int32
	// next is the offset after the last record that was fetched, -1 if that
	// is not known yet; epoch is that record's leader epoch.
	next  int64
	epoch int32
	// committed is the group's offset, -1 if it has none.
	committed int64
	// parts are those that are fetched and not committed, in order.
	parts []*part
	// revoking says that the partition is about to go away: nothing is handed
	// out any more. away says that it is gone: nothing is committed. It may
	// come back, with its parts.
	revoking, away bool
	// lost says that another member has it.
	lost bool
	// err is why the last commit failed, nil if it did not.
	err error
}

// part is records of one partition, in the order of the topic, on their way to
// a taker or in its hands.
type part struct {
	of         *partition
	seq        uint64 // in the order of fetching
	from, next int64  // offsets: of the first record, and after the last
	epoch      int32
	batch      *event.Batch
	state      partState
	handed     bool // it was in somebody's hands
}

type partState int

const (
	waiting partState = iota
	inHand
	committed
)

func (p *part) cost() int { return p.batch.Size() + partOverhead }

// partOverhead is about what a part costs besides its batch's bytes.
const partOverhead = 256

// committable returns the offset up to which all is committed by the takers,
// with its leader epoch, and whether that is news for the group.
func (p *partition) committable() (offset int64, epoch int32, news bool) {
	offset = p.committed
	for _, each := range p.parts {
		if each.state != committed {
			break
		}
		offset, epoch, news = each.next, each.epoch, true
	}
	return offset, epoch, news
}

// forget forgets what the group's offset, which is offset now, has left behind.
func (p *partition) forget(offset int64) {
	p.committed, p.err = offset, nil
	n := 0
	for n < len(p.parts) && p.parts[n].state == committed && p.parts[n].next <= offset {
		n++
	}
	p.parts = slices.Delete(p.parts, 0, n)
}

// events returns how many events of the partition are in a given state.
func (p *partition) events(state partState) (n int) {
	for _, each := range p.parts {
		if each.state == state {
			n += each.batch.Len()
		}
	}
	return n
}

// busy says whether takers have something of the partition, or the group does
// not know yet what they have committed.
func (p *partition) busy() bool {
	_, _, news := p.committable()
	return p.err == nil && news || p.events(inHand) > 0
}

// knows says whether all that follows offset and was fetched is among the parts.
func (p *partition) knows(offset int64) bool {
	return offset == p.committed || slices.ContainsFunc(p.parts, func(each *part) bool { return each.next == offset })
}
