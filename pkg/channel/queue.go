package channel

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/flumekit/flumekit/pkg/stream"
)

// Config says how a channel is opened on a store.
type Config struct {
	Limits Limits
	// Store says what the messages are kept in. Where there is a Dir, its
	// path is that one's.
	Store StoreConfig
	// Dir is where the ledger lies; the channel closes it. Without one the
	// position is kept in memory.
	Dir *Dir
	// MayLose says that the store may lose its newest messages when the
	// machine goes down. The channel then goes on without them and logs
	// it; else it refuses to open.
	MayLose bool
	// TrimBytes is how much is taken for good before the store is told to
	// forget it. An idle channel trims without regard to it.
	TrimBytes int64
}

// Queue is the Channel that keeps its messages in a store of its own.
type Queue struct {
	open    OpenStore
	store   Store
	remover Remover // the store, if it is one
	conf    Config
	limits  *Limits
	ctx     context.Context // of the work in the background; ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup // committer, loader, janitor
	tend    chan struct{}  // tells the janitor that something has changed

	mu       sync.Mutex
	changed  sync.Cond // takers and Close wait on it,
	arrived  sync.Cond // the committer,
	hungry   sync.Cond // and the loader
	ledger   *ledger   // nil: none
	pos      position
	err      error         // why the channel is of no use any more
	failed   chan struct{} // closed when err is set
	closed   bool          // no more puts and takes
	finished bool          // the committer has ended

	waiting  putList // puts that wait for room
	admitted []*put  // puts that have room and wait to be appended
	reserved Totals  // the room of those, and of the append under way

	returned  []*entry // open and held by no taker, in order
	ready     entries  // loaded from the store, the first of them is pos.taken+1
	recent    entries  // the newest messages, as they were put
	takers    int
	untrimmed int64    // bytes taken for good since the last trim
	beyond    []uint64 // messages taken for good since then, after one that is not

	trimmed uint64 // the message up to which the store has been trimmed; the janitor's
}

const (
	// recentBytes bounds the newest messages kept in memory for takers that
	// keep up.
	recentBytes = 8 << 20
	// aheadBytes is how far the loader reads ahead of takers with a backlog.
	aheadBytes = 8 << 20
	// readBytes is how much it reads at a time.
	readBytes = 2 << 20
	// joinBytes bounds the messages that puts are joined to.
	joinBytes = 2 << 20
)

// OpenQueue opens the store that conf describes and the channel on it, which
// both belong to the Queue, as does conf.Dir: after an error all is given up. A logger comes with
// ctx; all else of ctx ends with OpenQueue.
func OpenQueue(ctx context.Context, open OpenStore, conf Config) (*Queue, error) {
	c := &Queue{
		open:   open,
		conf:   conf,
		tend:   make(chan struct{}, 1),
		failed: make(chan struct{}),
	}
	c.limits = &c.conf.Limits
	c.changed.L, c.arrived.L, c.hungry.L = &c.mu, &c.mu, &c.mu
	if conf.Dir != nil {
		c.conf.Store.Dir = conf.Dir.Store()
	}
	err := c.openStore(ctx)
	if err == nil {
		err = c.recover(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.letGo())
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.work.Go(c.commitPuts)
	c.work.Go(c.loadBacklog)
	c.work.Go(c.tendStore)
	return c, nil
}

func (c *Queue) openStore(ctx context.Context) error {
	store, err := c.open(ctx, c.conf.Store)
	if err != nil {
		return err
	}
	c.store = store
	c.remover, _ = store.(Remover)
	return nil
}

// Bounds implements Channel.
func (c *Queue) Bounds() stream.Bounds {
	return stream.Bounds{MaxEvents: c.limits.Transaction, MaxBytes: c.store.MaxMessage()}
}

// Len implements Channel: events that were put, and not taken for good.
func (c *Queue) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.pos.held().Events)
}

// Bytes returns the bytes held, as Limits.Weigh counts them.
func (c *Queue) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(c.pos.held().Bytes)
}

// Failed implements Channel.
func (c *Queue) Failed() <-chan struct{} { return c.failed }

// Err implements Channel.
func (c *Queue) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends all use of the channel. c.mu is held.
func (c *Queue) fail(err error) {
	if c.err == nil {
		c.err = err
		close(c.failed)
	}
	c.wakeAll()
}

// wakeAll makes everyone who waits look again. c.mu is held.
func (c *Queue) wakeAll() {
	c.changed.Broadcast()
	c.arrived.Broadcast()
	c.hungry.Broadcast()
}

// idle reports whether nothing is held or on its way in. c.mu is held.
func (c *Queue) idle() bool {
	return c.pos.held() == (Totals{}) && c.reserved == (Totals{}) && c.waiting.len() == 0
}

// record writes the position down. c.mu is held.
func (c *Queue) record() error {
	if c.ledger == nil {
		return nil
	}
	err := c.ledger.write(&c.pos)
	if err != nil {
		c.fail(err)
	}
	return err
}

// Close implements Channel. It returns once all is written and the store is
// closed.
func (c *Queue) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	refused := c.waiting.takeAll()
	c.wakeAll()
	c.mu.Unlock()
	for _, p := range refused {
		p.finish(ErrClosed)
	}
	c.mu.Lock()
	for !c.finished {
		c.changed.Wait()
	}
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.err == nil {
		err = c.trim(context.Background(), c.pos.floor())
	}
	return errors.Join(err, c.letGo())
}

// letGo closes all that the channel holds.
func (c *Queue) letGo() error {
	var err error
	if c.ledger != nil {
		err = c.ledger.close()
		c.ledger = nil
	}
	if c.store != nil {
		err = errors.Join(err, c.store.Close())
	}
	if c.conf.Dir != nil {
		err = errors.Join(err, c.conf.Dir.Close())
	}
	return err
}

// hold notes that entry e is in a taker's hands. c.mu is held.
func (c *Queue) hold(e *entry) {
	if e.seq > c.pos.taken {
		c.pos.taken, c.pos.takenTotals = e.seq, e.totals
		c.pos.open = append(c.pos.open, e.seq)
		c.pos.openTotals = c.pos.openTotals.plus(e.weight)
	}
}

// release notes that entry e is taken for good. c.mu is held.
func (c *Queue) release(e *entry) {
	i, ok := slices.BinarySearch(c.pos.open, e.seq)
	if !ok {
		return
	}
	c.pos.open = slices.Delete(c.pos.open, i, i+1)
	c.pos.openTotals = c.pos.openTotals.minus(e.weight)
	c.untrimmed += int64(e.cost())
	if c.remover != nil && i > 0 {
		c.beyond = append(c.beyond, e.seq)
	}
}

// touch tells the janitor that something has changed.
func (c *Queue) touch() {
	select {
	case c.tend <- struct{}{}:
	default:
	}
}
