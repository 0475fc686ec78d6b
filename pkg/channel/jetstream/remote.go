package jetstream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/stream"
)

// remote is a channel whose events are in a stream elsewhere.
type remote struct {
	link   *link
	stream js.Stream
	puts   *puts
	takes  *takes

	mu     sync.Mutex
	closed bool
	err    error
	failed chan struct{}
	ended  chan struct{} // closed by Close
	work   sync.WaitGroup
}

func (o *Options) openRemote(ctx context.Context) (channel.Channel, error) {
	l, err := o.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &remote{link: l, failed: make(chan struct{}), ended: make(chan struct{})}
	err = o.persist(ctx, l.log, func() (err error) {
		c.stream, err = o.findStream(ctx, l)
		return err
	})
	if err != nil {
		l.close()
		return nil, err
	}
	limit := func() int { return maxMessage(l.nc, c.stream) }
	c.puts = newPuts(l, o, limit)
	if c.takes, err = newTakes(c, o); err != nil {
		l.close()
		return nil, err
	}
	c.work.Go(c.puts.run)
	c.work.Go(c.takes.run)
	c.work.Go(c.watch)
	return c, nil
}

// maxMessage is the most bytes of a batch that one message takes.
func maxMessage(nc *nats.Conn, s js.Stream) int {
	most := int(nc.MaxPayload())
	if of := int(s.CachedInfo().Config.MaxMsgSize); of > 0 {
		most = min(most, of)
	}
	return most - headerRoom
}

// watch fails the channel when its connection is given up: the servers do not
// want us any more.
func (c *remote) watch() {
	select {
	case <-c.ended:
	case <-c.link.shut:
		err := c.link.nc.LastError()
		if err == nil {
			err = nats.ErrConnectionClosed
		}
		c.fail(fmt.Errorf("the connection to %s has ended: %w", c.link.url, err))
	}
}

// fail makes the channel of no use any more.
func (c *remote) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.closed {
		c.err = err
		close(c.failed)
		c.puts.fail(err)
		c.takes.fail(err)
	}
}

// Putter implements channel.Channel.
func (c *remote) Putter() channel.Putter { return &putter{puts: c.puts} }

// Taker implements channel.Channel.
func (c *remote) Taker() channel.Taker { return c.takes.taker() }

// Bounds implements channel.Channel.
func (c *remote) Bounds() stream.Bounds {
	return stream.Bounds{MaxEvents: c.puts.transaction, MaxBytes: c.puts.limit()}
}

// Len implements channel.Channel. The stream knows how many messages it has,
// but not how many events are in them: Len is 0 or -1.
func (c *remote) Len() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if held, err := c.takes.left(ctx); err == nil && held == 0 {
		return 0
	}
	return -1
}

// Failed implements channel.Channel.
func (c *remote) Failed() <-chan struct{} { return c.failed }

// Err implements channel.Channel.
func (c *remote) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close implements channel.Channel.
func (c *remote) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	close(c.ended)
	c.mu.Unlock()
	c.puts.close()
	c.takes.close()
	c.work.Wait()
	c.link.close()
	return nil
}
