package channel

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

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
	// it, however damage is dealt with.
	MayLose bool
	// TrimBytes is how much is taken for good before the store is told to
	// forget it. An idle channel trims without regard to it.
	TrimBytes int64
	// Retain is how long events stay in the store after they were put, taken
	// or not. They give way when Limits.Space says that there is no room.
	Retain time.Duration
}

// Queue is the Channel that keeps its messages in a store of its own.
type Queue struct {
	*monitor
	open       OpenStore
	conf       Config
	limits     *Limits
	log        *zerolog.Logger
	maxMessage int
	ctx        context.Context // of the work in the background; ends with Close
	cancel     context.CancelFunc
	work       sync.WaitGroup // committer, loader, janitor, keeper
	tend       chan struct{}  // tells the janitor that something has changed
	broken     chan struct{}  // tells the keeper that the store has failed

	storeMu sync.RWMutex // held for reading while the store is in use
	store   Store        // nil: closed

	// under mu:
	arrived      sync.Cond // the committer waits on it,
	hungry       sync.Cond // and the loader on this
	ledger       *ledger   // nil: none
	ledgerBehind bool      // the last write or sync of it has failed
	pos          position
	end          uint64        // where the store ended when it was opened: pos.put, or behind what is lost
	err          error         // why the channel is of no use any more
	failed       chan struct{} // closed when err is set
	closed       bool          // no more puts and takes
	finished     bool          // the committer has ended

	trouble  trouble
	troubled atomic.Bool // trouble.err is not nil
	holes    []hole      // known to be missing from the store, and not passed yet

	waiting  putList // puts that wait for room
	admitted []*put  // puts that have room and wait to be appended
	reserved Totals  // the room of those, and of the append under way
	found    []*put  // puts of a doubtful append that turned out to be in the store

	returned  []*entry // open and held by no taker, in order
	ready     entries  // loaded from the store, the first of them is pos.taken+1
	recent    entries  // the newest messages, as they were put
	putters   int
	takers    map[*taker]struct{}
	cramped   bool     // puts wait because of the disk, and that was said
	untrimmed int64    // bytes taken for good since the last trim
	beyond    []uint64 // messages taken for good since then, after one that is not
	trimmed   uint64   // the place up to which the store has been trimmed
}

// monitor is what those who use a Queue wait on. The two of a Spill share one.
type monitor struct {
	mu      sync.Mutex
	changed sync.Cond // takers and Close wait on it
	eased   func()    // called with mu held when there may be room; nil: nobody asks
}

func newMonitor() *monitor {
	m := new(monitor)
	m.changed.L = &m.mu
	return m
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

// OpenQueue opens the store that conf describes and the channel on it. Both, and
// conf.Dir, belong to the Queue, also after an error. A logger comes with ctx;
// all else of ctx ends with OpenQueue.
func OpenQueue(ctx context.Context, open OpenStore, conf Config) (*Queue, error) {
	return openQueue(ctx, open, conf, newMonitor())
}

func openQueue(ctx context.Context, open OpenStore, conf Config, shared *monitor) (*Queue, error) {
	c := &Queue{
		monitor: shared,
		open:    open,
		conf:    conf,
		log:     zerolog.Ctx(ctx),
		tend:    make(chan struct{}, 1),
		broken:  make(chan struct{}, 1),
		takers:  make(map[*taker]struct{}),
		failed:  make(chan struct{}),
	}
	c.limits = &c.conf.Limits
	c.arrived.L, c.hungry.L = &c.mu, &c.mu
	if conf.Dir != nil {
		c.conf.Store.Dir = conf.Dir.Store()
	}
	if conf.Dir.readOnly() {
		c.conf.Store.Aside = ""
	}
	err := c.openStore(ctx)
	if err == nil {
		crashPoint("open: store opened")
		c.maxMessage = c.store.MaxMessage()
		if most := c.limits.TransactionBytes; most > 0 {
			c.maxMessage = min(c.maxMessage, most)
		}
		err = c.recover(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.letGo())
	}
	crashPoint("open: recovered")
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.work.Go(c.commitPuts)
	c.work.Go(c.loadBacklog)
	c.work.Go(c.tendStore)
	c.work.Go(c.keepStore)
	return c, nil
}

// Bounds implements Channel.
func (c *Queue) Bounds() stream.Bounds {
	return stream.Bounds{MaxEvents: c.limits.Transaction, MaxBytes: c.maxMessage}
}

// Len implements Channel: events that were put, and not taken for good.
func (c *Queue) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.held().Events)
}

// Bytes returns the bytes held, as Limits.Weigh counts them.
func (c *Queue) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(c.held().Bytes)
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

// held returns what has been put, not been taken for good, and not been lost.
// c.mu is held.
func (c *Queue) held() Totals {
	held := c.pos.held()
	for _, h := range c.holes {
		held = held.minus(h.ahead)
	}
	return held
}

// idle reports whether nothing is held or on its way in. c.mu is held.
func (c *Queue) idle() bool {
	return c.held() == (Totals{}) && c.reserved == (Totals{}) && c.waiting.len() == 0
}

// noRoom returns why w cannot be added just now, nil if it can. c.mu is held.
func (c *Queue) noRoom(w Totals) error {
	if err := c.trouble.refusal(); err != nil {
		return err
	}
	return c.limits.noRoom(c.held().plus(c.reserved), w)
}

// record writes the position down. A position that cannot be written costs
// deliveries that are made again after a crash, and never an event: the channel
// goes on, and the janitor tries again. c.mu is held.
func (c *Queue) record() {
	if c.ledger == nil {
		return
	}
	if err := c.ledger.write(&c.pos); err != nil {
		c.ledgerFailed(err)
		return
	}
	if c.ledgerBehind {
		c.ledgerBehind = false
		c.log.Warn().Msg("the channel's ledger can be written again")
	}
}

// ledgerFailed notes that the position on disk is an old one. c.mu is held.
func (c *Queue) ledgerFailed(err error) {
	if !c.ledgerBehind {
		c.log.Error().Err(err).Msg("after a crash, events that were delivered since will be delivered again")
	}
	c.ledgerBehind = true
	c.touch()
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
	refused := append(c.trouble.takeDoubtful(), c.waiting.takeAll()...)
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
	crashPoint("close: at rest")

	var err error
	if c.err == nil && c.store != nil && !c.conf.Dir.readOnly() {
		err = c.trim(context.Background(), c.store)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(err, c.letGo())
}

// letGo closes all that the channel holds.
func (c *Queue) letGo() error {
	var err error
	if c.ledger != nil {
		err = c.ledger.close()
		c.ledger = nil
		crashPoint("close: ledger closed")
	}
	err = errors.Join(err, c.closeStore())
	crashPoint("close: store closed")
	if c.conf.Dir != nil {
		err = errors.Join(err, c.conf.Dir.Close())
	}
	return err
}

// hold notes that entry e is in a taker's hands. c.mu is held.
func (c *Queue) hold(e *entry) {
	if e.seq <= c.pos.taken {
		return
	}
	c.pos.taken, c.pos.takenTotals = e.seq, e.totals
	c.pos.open = append(c.pos.open, e.first)
	c.pos.openTotals = c.pos.openTotals.plus(e.weight)
	for len(c.holes) > 0 && c.holes[0].Last < e.seq {
		c.holes = c.holes[1:]
	}
}

// release notes that entry e is taken for good. c.mu is held.
func (c *Queue) release(e *entry) {
	i, ok := slices.BinarySearch(c.pos.open, e.first)
	if !ok {
		return
	}
	c.pos.open = slices.Delete(c.pos.open, i, i+1)
	c.pos.openTotals = c.pos.openTotals.minus(e.weight)
	c.untrimmed += int64(e.cost())
	if i > 0 {
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
