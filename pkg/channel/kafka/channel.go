package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

const (
	// stayTime is how long a process stays in the group when its last taker
	// is gone: another often follows, and to join takes seconds.
	stayTime = 5 * time.Second
	// lagTimeout is how long Len waits for the brokers.
	lagTimeout = 3 * time.Second
)

// topicChannel is a channel in a topic.
type topicChannel struct {
	opt      *Options
	codec    codec
	log      *zerolog.Logger
	link     *link
	producer *kgo.Client
	admin    *kadm.Client // on the producer's connections
	consumer []kgo.Opt    // of the group's client
	// largest is the most bytes of a record, and why.
	largest limit
	stay    time.Duration

	mu      sync.Mutex
	putters map[*putter]bool
	takers  int
	group   *group      // nil until something is taken
	leave   *time.Timer // closes group when its last taker is gone
	closed  bool
	err     error
	failed  chan struct{}
	leaving sync.WaitGroup
}

// open connects to the brokers and returns the channel in their topic.
func open(ctx context.Context, o *Options) (*topicChannel, error) {
	log := zerolog.Ctx(ctx)
	c := &topicChannel{
		opt:     o,
		codec:   codec{topic: o.Topic, avro: bool(o.ParseAsFlumeEvent), partitionHeader: o.PartitionIDHeader, defaultPartition: int32(o.DefaultPartition)},
		log:     log,
		link:    &link{log: log},
		stay:    stayTime,
		putters: make(map[*putter]bool),
		failed:  make(chan struct{}),
	}
	seeds := kgo.SeedBrokers(o.Servers...)
	produce, err := o.Producer.Connection.client()
	if err != nil {
		return nil, err
	}
	consume, err := o.Consumer.Connection.client()
	if err != nil {
		return nil, err
	}
	group, err := o.Consumer.client(o.Topic, o.offsetReset())
	if err != nil {
		return nil, err
	}
	produce, consume = append(produce, seeds), append(consume, seeds)
	c.consumer = append(append(consume, kgo.WithHooks(c.link), kgo.AlwaysRetryEOF()), group...)
	if c.largest, err = check(ctx, o, produce); err != nil {
		return nil, err
	}
	produce = append(produce, kgo.WithHooks(c.link), kgo.AlwaysRetryEOF(), kgo.UnknownTopicRetries(8))
	produce = append(produce, o.Producer.client()...)
	produce = append(produce, kgo.ProducerBatchMaxBytes(c.largest.bytes))
	if c.producer, err = kgo.NewClient(produce...); err != nil {
		return nil, err
	}
	c.admin = kadm.NewClient(c.producer)
	return c, nil
}

// Bounds implements channel.Channel. A batch may hold an event of the largest
// size.
func (c *topicChannel) Bounds() stream.Bounds {
	return stream.Bounds{MaxEvents: mostEvents, MaxBytes: max(mostBytes, int(c.opt.Producer.MaxRequestSize)) + event.HeadSize}
}

// Len implements channel.Channel: the group's lag, which is asked of the
// brokers.
func (c *topicChannel) Len() int {
	if c.unusable() != nil {
		return -1
	}
	ctx, cancel := context.WithTimeout(context.Background(), lagTimeout)
	defer cancel()
	ends, err := c.ends(ctx)
	if err != nil {
		return -1
	}
	committed, err := c.offsets(ctx)
	if err != nil {
		return -1
	}
	lag := int64(0)
	for partition, end := range ends {
		from := end.first
		if at, ok := committed[partition]; ok {
			from = max(from, at)
		} else if c.opt.offsetReset() == "latest" {
			from = end.last
		}
		lag += max(0, end.last-from)
	}
	return int(lag)
}

// offsets returns the group's offsets of those partitions of which it has one.
func (c *topicChannel) offsets(ctx context.Context) (map[int32]int64, error) {
	committed, err := c.admin.FetchOffsets(ctx, c.opt.Consumer.GroupID)
	if err == nil {
		err = committed.Error()
	}
	all := make(map[int32]int64)
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		return all, nil
	case err != nil:
		return nil, err
	}
	for partition, o := range committed[c.opt.Topic] {
		if o.At >= 0 {
			all[partition] = o.At
		}
	}
	return all, nil
}

// extent is the offsets of a partition: of its first record, and after its last.
type extent struct{ first, last int64 }

// ends returns the extent of each partition.
func (c *topicChannel) ends(ctx context.Context) (map[int32]extent, error) {
	first, err := c.admin.ListStartOffsets(ctx, c.opt.Topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, err
	}
	last, err := c.admin.ListEndOffsets(ctx, c.opt.Topic)
	if err == nil {
		err = last.Error()
	}
	if err != nil {
		return nil, err
	}
	all := make(map[int32]extent)
	last.Each(func(l kadm.ListedOffset) {
		f, _ := first.Lookup(l.Topic, l.Partition)
		all[l.Partition] = extent{first: f.Offset, last: l.Offset}
	})
	return all, nil
}

// Failed implements channel.Channel.
func (c *topicChannel) Failed() <-chan struct{} { return c.failed }

// Err implements channel.Channel.
func (c *topicChannel) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends all use of the channel: the cluster refuses it.
func (c *topicChannel) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.closed {
		c.err = err
		close(c.failed)
	}
}

// unusable returns why nothing can be put or taken any more.
func (c *topicChannel) unusable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.closed {
		return channel.ErrClosed
	}
	return nil
}

// join returns the process's place in the group, and makes it if there is none.
func (c *topicChannel) join() (*group, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil, c.err
	case c.closed:
		return nil, channel.ErrClosed
	case c.group == nil:
		g, err := newGroup(c)
		if err != nil {
			return nil, err
		}
		c.group = g
	}
	return c.group, nil
}

// Taker implements channel.Channel.
func (c *topicChannel) Taker() channel.Taker {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takers++
	if c.leave != nil {
		c.leave.Stop()
		c.leave = nil
	}
	t := &taker{c: c, held: make(map[*part]bool)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

// takerGone takes back what t has, and leaves the group some time after the last
// taker.
func (c *topicChannel) takerGone(t *taker) {
	c.mu.Lock()
	g := c.group
	c.mu.Unlock()
	if !t.letGo(g) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takers--
	if c.takers > 0 || c.group == nil || c.closed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(c.stay, func() {
		c.mu.Lock()
		if c.leave != timer || c.closed {
			c.mu.Unlock()
			return
		}
		g := c.group
		c.group, c.leave = nil, nil
		c.leaving.Add(1)
		c.mu.Unlock()
		defer c.leaving.Done()
		g.close()
	})
	c.leave = timer
}

// Close implements channel.Channel.
func (c *topicChannel) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	if c.leave != nil {
		c.leave.Stop()
	}
	g := c.group
	var putters []*putter
	for p := range c.putters {
		putters = append(putters, p)
	}
	c.mu.Unlock()
	for _, p := range putters {
		p.Close()
	}
	for _, p := range putters {
		p.wait()
	}
	if g != nil {
		g.close()
	}
	c.leaving.Wait()
	c.producer.Close()
	return nil
}

// errLost is why a group's parts are of no use any more: the group was left.
var errLost = errors.New("the consumer group was left")
