package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// loadBalance uses all servers in turn, or in random order. A call that fails
// at one goes on to the others.
type loadBalance struct {
	several
	random bool
	first  int       // of those that may be tried, where the next call begins; turn's
	rests  []resting // of each server; turn's
}

func newLoadBalance(ctx context.Context, opt *Options, conns []*connection) *loadBalance {
	l := &loadBalance{several: newSeveral(ctx, opt, conns), random: opt.Selector == Random, rests: make([]resting, len(conns))}
	if opt.Backoff {
		most := opt.MaxBackoff.Duration()
		if most == 0 {
			most = defaultMaxBackoff
		}
		for i := range l.rests {
			l.rests[i].most = most
		}
	}
	return l
}

func (l *loadBalance) Append(ctx context.Context, e event.Event) error {
	return l.try(ctx, func(c *connection) error { return c.Append(ctx, e) })
}

func (l *loadBalance) AppendBatch(ctx context.Context, b *event.Batch) error {
	return l.try(ctx, func(c *connection) error { return c.AppendBatch(ctx, b) })
}

func (l *loadBalance) try(ctx context.Context, send func(*connection) error) error {
	if err := l.hold(ctx); err != nil {
		return err
	}
	defer l.release()
	last := errors.New("all of them are left alone for a while, as they failed")
	for _, i := range l.order(time.Now()) {
		c := l.conns[i]
		if last = send(c); over(ctx, last) {
			if last == nil {
				l.rests[i] = resting{most: l.rests[i].most}
			}
			return last
		}
		l.rests[i].fail(time.Now())
		l.log.Warn().Err(last).Msg("Failed to send to a host. Trying the others.")
	}
	return fmt.Errorf("unable to send to any of %d hosts: %w", len(l.conns), last)
}

// order returns the indices of the servers in the order in which to try them.
func (l *loadBalance) order(now time.Time) []int {
	var order []int
	for i := range l.conns {
		if !now.Before(l.rests[i].until) {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		// Flume: a random selector fails here with an exception of Java's.
		return nil
	}
	if l.random {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		return order
	}
	begin := l.first % len(order)
	l.first = begin + 1
	return slices.Concat(order[begin:], order[:begin])
}

// resting says how long a server that failed is left alone.
type resting struct {
	most     time.Duration // 0: not at all
	failures int
	until    time.Time
}

// forget is how long after a rest a failure counts as the first again.
const forget = time.Hour

// fail notes a failure: the n-th in a row means a rest of 2^n seconds.
//
// Flume: a success in between does not end the row; here it does.
func (r *resting) fail(now time.Time) {
	if r.most == 0 {
		return
	}
	if now.Sub(r.until) > forget {
		r.failures = 0
	}
	r.failures = min(r.failures+1, 16)
	r.until = now.Add(min(r.most, time.Second<<r.failures))
}
