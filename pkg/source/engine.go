package source

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// Counts is what a run of a source came to, in events.
type Counts struct {
	Received  int64 // taken in by the source
	Accepted  int64 // committed by every required channel, or meant for none
	Dropped   int64 // of the accepted: by an interceptor, or for want of a channel in the selector
	Refused   int64 // not committed; the sender was told
	Forfeited int64 // not committed by an optional channel
}

// Run runs src until its input ends or ctx is done, and then until all that it
// took in is committed and the channels' streams are ended. When now is done it
// ends at once instead.
//
// A channel that ends for good ends the run: the error is the source's, which
// has the most to say, or else the channel's.
func Run(ctx, now context.Context, src Source, flow Flow) (Counts, error) {
	p := &put{flow: flow, now: now, log: zerolog.Ctx(ctx)}
	intake, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(now, func() {
		stop()
		for _, w := range flow.Channels {
			w.Abort(ErrStopped)
		}
	})()
	finished := make(chan struct{})
	defer close(finished)
	ended := make(chan error, len(flow.Channels)) // why, of each channel that ended by itself
	for _, w := range flow.Channels {
		go func() {
			select {
			case <-w.Done():
				ended <- w.Err()
				stop()
			case <-finished:
			}
		}()
	}
	err := src.Run(intake, p)
	if err == nil {
		select {
		case err = <-ended:
		default:
		}
	}
	for _, w := range flow.Channels {
		if closeErr := w.Close(now); err == nil {
			err = closeErr
		}
	}
	return p.counts(), err
}

// put is the Put of a running source.
type put struct {
	flow    Flow
	now     context.Context // done when everything has to end at once
	log     *zerolog.Logger
	astray  sync.Once // the warning of events without a channel
	scratch sync.Pool // *event.Batch

	received, accepted, dropped, refused, forfeited atomic.Int64
}

func (p *put) counts() Counts {
	return Counts{
		Received:  p.received.Load(),
		Accepted:  p.accepted.Load(),
		Dropped:   p.dropped.Load(),
		Refused:   p.refused.Load(),
		Forfeited: p.forfeited.Load(),
	}
}

func (p *put) MaxEvents() int {
	most := 0
	for _, w := range p.flow.Channels {
		if n := w.Bounds().MaxEvents; n > 0 && (most == 0 || n < most) {
			most = n
		}
	}
	return most
}

func (p *put) Commit(b *event.Batch) error { return p.Begin(b).Wait() }

func (p *put) Begin(b *event.Batch) Commit { return p.send(b, true) }

func (p *put) Try(b *event.Batch) error { return p.send(b, false).Wait() }

// commit is a batch on its way to its channels.
type commit struct {
	put    *put
	events int64
	wait   bool
	sent   []sending
	routed []*event.Batch // of the put's scratch
}

// sending is the part of a batch that goes to one channel.
type sending struct {
	channel  *stream.Writer
	required bool
	receipt  *stream.Receipt
	batch    *event.Batch
}

func (p *put) send(b *event.Batch, wait bool) *commit {
	c := &commit{put: p, events: int64(b.Len()), wait: wait}
	p.received.Add(c.events)
	if route, ok := p.flow.Selector.Constant(); ok && len(p.flow.Interceptors) == 0 {
		for _, i := range route.Required {
			c.send(p.flow.Channels[i], b, true)
		}
		for _, i := range route.Optional {
			c.send(p.flow.Channels[i], b, false)
		}
		return c
	}
	required, optional := p.route(c, b)
	for i, part := range required {
		if part != nil {
			c.send(p.flow.Channels[i], part, true)
		}
	}
	for i, part := range optional {
		if part != nil {
			c.send(p.flow.Channels[i], part, false)
		}
	}
	return c
}

// route passes b through the interceptors and the selector, and returns what
// goes to each channel, by its index.
func (p *put) route(c *commit, b *event.Batch) (required, optional []*event.Batch) {
	required = make([]*event.Batch, len(p.flow.Channels))
	optional = make([]*event.Batch, len(p.flow.Channels))
	to := func(parts []*event.Batch, channels []int, e event.Event) {
		for _, i := range channels {
			if parts[i] == nil {
				parts[i] = p.borrow()
				c.routed = append(c.routed, parts[i])
			}
			parts[i].Append(e)
		}
	}
	for e := range b.All() {
		e, keep := p.intercept(e)
		if !keep {
			p.dropped.Add(1)
			continue
		}
		route := p.flow.Selector.Select(e)
		if len(route.Required)+len(route.Optional) == 0 {
			p.dropped.Add(1)
			p.astray.Do(func() {
				p.log.Warn().Msg("The selector has no channel for an event, which is dropped; so will others be. selector.default takes such events.")
			})
		}
		to(required, route.Required, e)
		to(optional, route.Optional, e)
	}
	return required, optional
}

func (p *put) intercept(e event.Event) (event.Event, bool) {
	keep := true
	for _, i := range p.flow.Interceptors {
		if e, keep = i.Intercept(e); !keep {
			break
		}
	}
	return e, keep
}

func (p *put) borrow() *event.Batch {
	if b, ok := p.scratch.Get().(*event.Batch); ok {
		b.Reset()
		return b
	}
	return new(event.Batch)
}

// send sends b to one channel. Where the source can wait it is cut into as
// many batches as the channel needs.
func (c *commit) send(w *stream.Writer, b *event.Batch, required bool) {
	wait := c.wait && required
	most := w.Bounds().MaxEvents
	if !wait || most == 0 || b.Len() <= most {
		c.sent = append(c.sent, sending{w, required, w.Send(b, wait), b})
		return
	}
	for part := range b.Split(most) {
		c.sent = append(c.sent, sending{w, required, w.Send(part, wait), part})
	}
}

// Wait implements Commit.
func (c *commit) Wait() error {
	var err error
	for _, s := range c.sent {
		sendErr := s.wait(c.put.now, c.wait)
		switch {
		case sendErr == nil:
		case s.required:
			if err == nil {
				err = sendErr
			}
		default:
			c.put.forfeited.Add(int64(s.batch.Len()))
		}
	}
	for _, b := range c.routed {
		c.put.scratch.Put(b)
	}
	if err != nil {
		c.put.refused.Add(c.events)
		return err
	}
	c.put.accepted.Add(c.events)
	return nil
}

// retryPause is how long a batch that can wait does so after a channel failed to
// store it. Room is waited for in the channel; this is for a channel in trouble.
const retryPause = time.Second

// wait waits for the answer, and with again sends the batch anew for as long as
// the channel may take it later.
func (s sending) wait(now context.Context, again bool) error {
	for {
		err := s.receipt.Wait()
		var refused *stream.Refused
		if !again || !s.required || !errors.As(err, &refused) || !refused.Temporary() {
			return err
		}
		select {
		case <-time.After(retryPause):
		case <-now.Done():
			return ErrStopped
		}
		s.receipt = s.channel.Send(s.batch, true)
	}
}
