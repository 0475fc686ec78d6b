package channel

// Sequenced is implemented by the takes of a Queue, for those who must tell a
// batch that they take again from another.
type Sequenced interface {
	Take
	// Seq is the message's place in the store: the same whenever it is
	// taken, and more than that of every message before it.
	Seq() uint64
}

// Seq implements Sequenced.
func (t *taken) Seq() uint64 { return t.entry.seq }
