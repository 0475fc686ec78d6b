package sinkgroup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/sink"
)

// group is an open sink group.
type group struct {
	members []*member
	// order returns the members that are to try the next batch, one after
	// another. It is called once a batch.
	order  func(now time.Time) []*member
	failed string // is logged of a member, by its name
	none   string // is the error when no member has taken a batch
	log    *zerolog.Logger
}

// open opens the sinks. Those that cannot be opened are left for later, unless
// that is all of them. Penalty and opening bound the time that a sink is left
// alone which has failed, or could not be opened.
//
// Flume: one sink that cannot be configured empties the whole agent.
func (m *Members) open(ctx context.Context, penalty, opening time.Duration) (*group, error) {
	g := &group{log: zerolog.Ctx(ctx)}
	var failures []error
	for _, p := range m.sinks {
		each := &member{part: p, most: penalty, mostUnopened: opening}
		g.members = append(g.members, each)
		if err := each.open(ctx); err != nil {
			each.fail(err, time.Now())
			failures = append(failures, fmt.Errorf("sink %s: %w", p.name, err))
		}
	}
	if len(failures) == len(g.members) {
		return nil, errors.Join(failures...)
	}
	for _, each := range g.members {
		if each.sink == nil {
			g.log.Error().Err(each.cause).Msgf("Sink %s cannot be opened, the group works without it and tries again", each.name)
		}
	}
	return g, nil
}

// Write implements sink.Sink: it has the members try in order.
func (g *group) Write(ctx context.Context, b *event.Batch) error {
	if err := ctx.Err(); err != nil || b.Len() == 0 {
		return err
	}
	for _, m := range g.order(time.Now()) {
		err := m.write(ctx, b)
		if err == nil {
			if m.succeed() {
				g.log.Info().Msgf("Sink %s works again", m.name)
			}
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("sink %s: %w", m.name, err)
		}
		if m.fail(err, time.Now()) {
			sink.WithHints(g.log.Warn().Err(err), err).Msgf(g.failed, m.name)
		}
	}
	return g.failure()
}

// failure returns why no member has taken a batch. It wraps sink.ErrGone only if
// that holds for all of them.
func (g *group) failure() error {
	gone := true
	var causes []string
	for _, m := range g.members {
		causes = append(causes, fmt.Sprintf("%s: %v", m.name, m.cause))
		gone = gone && errors.Is(m.cause, sink.ErrGone)
	}
	text := g.none + ": " + strings.Join(causes, "; ")
	if gone {
		return &goneError{text}
	}
	return errors.New(text)
}

// goneError is an error about members that are all gone.
type goneError struct{ text string }

func (e *goneError) Error() string { return e.text }
func (e *goneError) Unwrap() error { return sink.ErrGone }

// Close implements sink.Sink.
func (g *group) Close() error {
	var failures []error
	for _, m := range g.members {
		if err := m.close(); err != nil {
			failures = append(failures, fmt.Errorf("sink %s: %w", m.name, err))
		}
	}
	return errors.Join(failures...)
}
