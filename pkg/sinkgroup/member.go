package sinkgroup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/sink"
)

// member is one sink of a running group, open or not.
type member struct {
	part
	most         time.Duration // bounds the penalty for a failure; 0: there is none
	mostUnopened time.Duration // bounds the penalty for not opening

	sink     sink.Sink // nil while it is not open
	cause    error     // of its last failure; nil once it has worked since
	failures int       // in a row
	until    time.Time // it is left alone
}

// context returns a context in which p's logs have its own name.
func (p *part) context(ctx context.Context) context.Context {
	log := zerolog.Ctx(ctx).With().Reset().Str("name", p.name).Str("logger", p.logger).Logger()
	return log.WithContext(component.WithName(ctx, p.name))
}

func (m *member) open(ctx context.Context) error {
	s, err := m.options.Open(m.context(ctx))
	if err == nil {
		m.sink = s
	}
	return err
}

// write writes b, opening the sink for that if it is not open.
func (m *member) write(ctx context.Context, b *event.Batch) error {
	if m.sink == nil {
		if err := m.open(ctx); err != nil {
			return err
		}
	}
	err := m.sink.Write(ctx, b)
	if errors.Is(err, sink.ErrGone) {
		if closing := m.close(); closing != nil {
			err = fmt.Errorf("%w: %v", err, closing)
		}
	}
	return err
}

// close closes the sink if it is open.
func (m *member) close() error {
	s := m.sink
	m.sink = nil
	if s == nil {
		return nil
	}
	return s.Close()
}

const (
	// mostDoublings bounds how often a penalty is doubled.
	//
	// Flume: failover has no such bound, and from the 22nd failure in a row its
	// penalties are negative.
	mostDoublings = 16

	// forget is how long after a penalty a failure counts as the first again.
	forget = time.Hour
)

// fail notes a failure, of which the n-th in a row means a penalty of 2^n
// seconds. It reports whether the cause is new.
//
// Flume: load_balance goes on counting after a success in between; here, as in
// failover, that ends the row.
func (m *member) fail(cause error, now time.Time) (news bool) {
	news = m.cause == nil || m.cause.Error() != cause.Error()
	m.cause = cause
	most := m.most
	if m.sink == nil {
		most = m.mostUnopened
	}
	if now.Sub(m.until) > forget {
		m.failures = 0
	}
	m.failures = min(m.failures+1, mostDoublings)
	m.until = now.Add(min(most, time.Second<<m.failures))
	return news
}

// succeed notes a success and reports whether it is the first after a failure.
func (m *member) succeed() (news bool) {
	news = m.cause != nil
	m.cause, m.failures, m.until = nil, 0, time.Time{}
	return news
}

// rested returns those of members that are not left alone now.
func rested(members []*member, now time.Time) []*member {
	var able []*member
	for _, m := range members {
		if !now.Before(m.until) {
			able = append(able, m)
		}
	}
	return able
}
