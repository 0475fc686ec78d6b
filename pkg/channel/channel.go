// Package channel is what holds events between sources and sinks: puts and
// takes in transactions, capacity, group commit, and the order of it all.
//
// A Channel keeps its messages in a Store, which is only a log. What was taken
// and committed, who holds what, and how much room is left is the channel's own
// business; the part of it that must outlive the process is in a ledger, a
// small file beside the store.
//
// A message is the events of one transaction, or of several that waited at
// the same time (group commit: while one append is on its way to the disk, the
// next gathers). It is handed to one taker at a time as one batch, and is
// committed or given back whole. Takers that keep up are served from memory;
// only a backlog is read from the store, in bulk and ahead of the takers.
//
// # The promise
//
// A put whose done was called with nil is in the store, as safe as the store's
// policy says. A take that was committed is never handed out again once Commit
// has returned, unless the machine itself goes down (then the takes of the last
// second may be). All else is handed out, in the order of the puts, after any
// crash. Nothing is dropped: at its bounds a channel lets putters wait or
// refuses them with a reason.
//
// # A channel's directory
//
// A durable channel lives in a directory that belongs to one process at a time
// (see Dir):
//
//	format   the layout's version: "flumekit channel 1"
//	lock     locked (flock) by the owner, with its process ID as text
//	sock     the Unix socket on which the owner serves other processes
//	ledger   the take position and the put high-water mark
//	store/   the store's own files
package channel

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/flumekit/flumekit/pkg/component"
)

// Spec describes a channel: its entry in the catalogue.
type Spec = component.Spec[Options]

// Options are a channel's properties: a pointer to a struct with one tagged
// field a property. They may have a Validate method for what the values alone
// can tell.
type Options interface {
	// Open checks what only the world can tell, opens the store and returns
	// the channel. A logger comes with ctx (zerolog.Ctx).
	Open(ctx context.Context, open OpenStore) (*Channel, error)
	// MaxEvents is the most events in one put (transactionCapacity).
	MaxEvents() int
	// Kind is the channel's type in one word, Policy says in a few how safe
	// a committed event is.
	Kind() string
	Policy() string
}

// Located is implemented by the options of channels that live in a directory.
type Located interface {
	Options
	// Directory returns the directory's path, once it exists: it is made if
	// need be.
	Directory() (string, error)
	// OpenIn is Open in a directory that was locked already. The channel
	// gives it up when it is closed; so does OpenIn after an error.
	OpenIn(ctx context.Context, dir *Dir, open OpenStore) (*Channel, error)
}

// Config says how a channel is opened on a store.
type Config struct {
	Limits Limits
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

// Channel holds events. Its methods may be called from any goroutine.
type Channel struct {
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
	ready     queue    // loaded from the store, the first of them is pos.taken+1
	recent    queue    // the newest messages, as they were put
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

// Open opens the channel whose messages are in store, which belongs to it
// from then on, also after an error. A logger comes with ctx; all else of ctx ends
// with Open.
func Open(ctx context.Context, store Store, conf Config) (*Channel, error) {
	c := &Channel{
		store:  store,
		conf:   conf,
		tend:   make(chan struct{}, 1),
		failed: make(chan struct{}),
	}
	c.limits = &c.conf.Limits
	c.remover, _ = store.(Remover)
	c.changed.L, c.arrived.L, c.hungry.L = &c.mu, &c.mu, &c.mu
	if err := c.recover(ctx); err != nil {
		return nil, errors.Join(err, c.letGo())
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.work.Go(c.commitPuts)
	c.work.Go(c.loadBacklog)
	c.work.Go(c.tendStore)
	return c, nil
}

// Len returns the number of events held: put, and not taken for good.
func (c *Channel) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.pos.held().Events)
}

// Bytes returns the bytes held, as Limits.Weigh counts them.
func (c *Channel) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(c.pos.held().Bytes)
}

// Limits returns the channel's limits.
func (c *Channel) Limits() Limits { return c.conf.Limits }

// Failed is closed when the channel is of no use any more, because its store
// failed; Err then tells why. What it held is still in the store.
func (c *Channel) Failed() <-chan struct{} { return c.failed }

// Err returns why the channel is of no use any more, nil while it is.
func (c *Channel) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends all use of the channel. c.mu is held.
func (c *Channel) fail(err error) {
	if c.err == nil {
		c.err = err
		close(c.failed)
	}
	c.wakeAll()
}

// wakeAll makes everyone who waits look again. c.mu is held.
func (c *Channel) wakeAll() {
	c.changed.Broadcast()
	c.arrived.Broadcast()
	c.hungry.Broadcast()
}

// idle reports whether nothing is held or on its way in. c.mu is held.
func (c *Channel) idle() bool {
	return c.pos.held() == (Totals{}) && c.reserved == (Totals{}) && c.waiting.len() == 0
}

// record writes the position down. c.mu is held.
func (c *Channel) record() error {
	if c.ledger == nil {
		return nil
	}
	err := c.ledger.write(&c.pos)
	if err != nil {
		c.fail(err)
	}
	return err
}

// Close ends the channel: puts that wait for room are refused with ErrClosed,
// those that have it are committed, batches in takers' hands stay for the next
// time. It returns once all is written and the store is closed.
func (c *Channel) Close() error {
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
func (c *Channel) letGo() error {
	var err error
	if c.ledger != nil {
		err = c.ledger.close()
		c.ledger = nil
	}
	err = errors.Join(err, c.store.Close())
	if c.conf.Dir != nil {
		err = errors.Join(err, c.conf.Dir.Close())
	}
	return err
}

// hold notes that entry e is in a taker's hands. c.mu is held.
func (c *Channel) hold(e *entry) {
	if e.seq > c.pos.taken {
		c.pos.taken, c.pos.takenTotals = e.seq, e.totals
		c.pos.open = append(c.pos.open, e.seq)
		c.pos.openTotals = c.pos.openTotals.plus(e.weight)
	}
}

// release notes that entry e is taken for good. c.mu is held.
func (c *Channel) release(e *entry) {
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
func (c *Channel) touch() {
	select {
	case c.tend <- struct{}{}:
	default:
	}
}
