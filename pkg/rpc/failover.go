package rpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/event"
)

// several is what the clients of several servers have in common.
type several struct {
	batchSize int
	conns     []*connection
	log       *zerolog.Logger
	turn      chan struct{} // holds the call under way
}

func newSeveral(ctx context.Context, opt *Options, conns []*connection) several {
	return several{opt.MaxEvents(), conns, zerolog.Ctx(ctx), make(chan struct{}, 1)}
}

func (s *several) BatchSize() int { return s.batchSize }

func (s *several) Close() error {
	for _, c := range s.conns {
		c.Close()
	}
	return nil
}

// hold waits for the call's turn.
func (s *several) hold(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *several) release() { <-s.turn }

// over reports whether a call is to be given up after err, whichever servers
// are left.
func over(ctx context.Context, err error) bool {
	return err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed)
}

// failover uses one server until that fails, and then the next.
type failover struct {
	several
	attempts int
	present  int // index of the server in use; turn's
}

func newFailover(ctx context.Context, opt *Options, conns []*connection) *failover {
	attempts := int(opt.MaxAttempts)
	if attempts == 0 {
		attempts = len(conns)
	}
	return &failover{several: newSeveral(ctx, opt, conns), attempts: attempts}
}

func (f *failover) Append(ctx context.Context, e event.Event) error {
	return f.try(ctx, func(c *connection) error { return c.Append(ctx, e) })
}

func (f *failover) AppendBatch(ctx context.Context, b *event.Batch) error {
	return f.try(ctx, func(c *connection) error { return c.AppendBatch(ctx, b) })
}

// try sends to the present server and, after failures, to those that follow.
//
// Flume: servers that cannot be connected to do not count as attempts; here
// each server that is tried does, and a call comes to an end.
func (f *failover) try(ctx context.Context, send func(*connection) error) error {
	if err := f.hold(ctx); err != nil {
		return err
	}
	defer f.release()
	var last error
	for attempt := range f.attempts {
		if attempt > 0 {
			f.log.Warn().Err(last).Str("next", f.conns[f.present].server).Msg("Client failed. Trying the next host.")
		}
		if last = send(f.conns[f.present]); over(ctx, last) {
			return last
		}
		f.present = (f.present + 1) % len(f.conns)
	}
	return fmt.Errorf("failed to send to any of %d hosts: %w", len(f.conns), last)
}
