package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

// edge is a channel with a store of its own, whose only taker is the forwarder.
type edge struct {
	*channel.Queue
	leaf      Leaf // nil: none
	forwarder *forwarder
	limit     int // most bytes of a batch at the hub
	most      int // events of a transaction
	stop      context.CancelFunc
	work      sync.WaitGroup

	mu    sync.Mutex
	ended chan struct{} // closed by Close
}

// Path implements channel.Housed.
func (o *Options) Path(context.Context) (path, property string, err error) {
	if o.Edge != "" {
		path, err = filepath.Abs(o.Edge)
	}
	return path, "edge", err
}

func (o *Options) openEdge(ctx context.Context, open channel.OpenStore) (channel.Channel, error) {
	if err := channel.MakeDir(o.Edge); err != nil {
		return nil, fmt.Errorf("making the edge's directory: %w", err)
	}
	dir, err := channel.LockDir(o.Edge)
	if err != nil {
		return nil, err
	}
	queue, err := channel.OpenQueue(ctx, open, channel.Config{Dir: dir, TrimBytes: 64 << 20, Limits: channel.Limits{
		Events:      int(o.Capacity),
		Transaction: int(o.TransactionCapacity),
		KeepAlive:   o.KeepAlive.Duration(),
		Texts: channel.Texts{
			Full:    full,
			TooMany: fmt.Sprintf("more events than one transaction holds; transactionCapacity is %d", o.TransactionCapacity),
		},
	}})
	if err != nil {
		return nil, err
	}
	e := &edge{Queue: queue, limit: int(o.MaxPayload) - headerRoom, most: int(o.TransactionCapacity), ended: make(chan struct{})}
	if err := e.open(ctx, o); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// open begins to forward. It waits for nobody.
func (e *edge) open(ctx context.Context, o *Options) error {
	var l *link
	var err error
	if o.isLeaf() {
		if e.leaf, err = o.startLeaf(ctx); err != nil {
			return fault.WithStatus(err, fault.Config)
		}
		l = newLink(ctx, o.redacted())
		err = l.connect(o, "", nats.InProcessServer(e.leaf))
	} else {
		l, err = o.linkLater(ctx)
	}
	if err != nil {
		return err
	}
	if e.forwarder, err = o.newForwarder(l, e); err != nil {
		l.close()
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.work.Go(func() { e.forwarder.run(background, e.Queue.Taker()) })
	return nil
}

// linkLater returns a link that connects when it can.
func (o *Options) linkLater(ctx context.Context) (*link, error) {
	ways, err := o.identify()
	if err != nil {
		return nil, fault.WithStatus(err, fault.Config)
	}
	l := newLink(ctx, o.redacted())
	l.lost()
	l.up = make(chan struct{})
	return l, l.connect(o, strings.Join(o.Servers, ","), append(ways,
		nats.RetryOnFailedConnect(true),
		nats.ConnectHandler(l.reconnected),
		nats.IgnoreAuthErrorAbort(),
		nats.Name(strings.TrimSpace("flumekit "+component.Name(ctx))),
	)...)
}

// Putter implements channel.Channel.
func (e *edge) Putter() channel.Putter { return &edgePutter{Putter: e.Queue.Putter(), limit: e.limit} }

// Bounds implements channel.Channel.
func (e *edge) Bounds() stream.Bounds {
	return stream.Bounds{MaxEvents: e.most, MaxBytes: e.limit}
}

// edgePutter refuses what the hub would refuse.
type edgePutter struct {
	channel.Putter
	limit int
}

// Put implements channel.Putter.
func (p *edgePutter) Put(b *event.Batch, wait bool, done func(error)) {
	if _, ok := parts(b, p.limit); !ok {
		done(tooLarge(b, p.limit))
		return
	}
	p.Putter.Put(b, wait, done)
}

// Taker implements channel.Channel. The hub's takers get the events: a taker
// here gets nothing, and as a last one the end when all is forwarded.
func (e *edge) Taker() channel.Taker { return &edgeTaker{edge: e, closed: make(chan struct{})} }

type edgeTaker struct {
	edge   *edge
	last   bool // under edge.mu
	once   sync.Once
	closed chan struct{}
}

// Last implements channel.Taker.
func (t *edgeTaker) Last() {
	t.edge.mu.Lock()
	defer t.edge.mu.Unlock()
	t.last = true
}

// Take implements channel.Taker.
func (t *edgeTaker) Take(ctx context.Context) (channel.Take, error) {
	look := time.NewTicker(lastLook)
	defer look.Stop()
	for {
		t.edge.mu.Lock()
		last := t.last
		t.edge.mu.Unlock()
		if last && t.edge.Len() == 0 {
			return nil, io.EOF
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.edge.Failed():
			return nil, t.edge.Err()
		case <-t.closed:
			return nil, channel.ErrClosed
		case <-t.edge.ended:
			return nil, channel.ErrClosed
		}
	}
}

// Forward implements channel.Forwarder.
func (e *edge) Forward(ctx context.Context) error {
	look := time.NewTicker(lastLook)
	defer look.Stop()
	for e.Len() > 0 {
		if why := e.forwarder.why(); why != nil {
			return fmt.Errorf("forwarding to the hub: %w", why)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-e.Failed():
			return e.Err()
		}
	}
	return nil
}

// Drain implements channel.Drainer.
func (e *edge) Drain(ctx context.Context) bool { return e.Forward(ctx) == nil }

// Close implements channel.Taker.
func (t *edgeTaker) Close() { t.once.Do(func() { close(t.closed) }) }

// Close implements channel.Channel. What is not forwarded is forwarded the next
// time.
func (e *edge) Close() error {
	e.mu.Lock()
	select {
	case <-e.ended:
		e.mu.Unlock()
		return nil
	default:
	}
	close(e.ended)
	e.mu.Unlock()
	if e.stop != nil {
		e.stop()
		e.work.Wait()
	}
	var err error
	if e.forwarder != nil {
		err = e.forwarder.close()
	}
	if e.leaf != nil {
		err = errors.Join(err, e.leaf.Close())
	}
	return errors.Join(err, e.Queue.Close())
}
