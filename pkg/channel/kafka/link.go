package kafka

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/flumekit/flumekit/pkg/component"
)

// complainTime is how often the same trouble is logged at most.
const complainTime = 30 * time.Second

// link watches the connections to the brokers, and logs when they are lost and
// when they are back.
type link struct {
	log *zerolog.Logger

	mu    sync.Mutex
	down  map[string]bool // brokers that could not be reached last
	err   error           // of the last that could not be
	since map[string]time.Time
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (l *link) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	addr := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.down[addr]
	switch {
	case err != nil && !was:
		if l.down == nil {
			l.down = make(map[string]bool)
		}
		l.down[addr] = true
		l.log.Warn().Str("broker", addr).Err(err).Msg("The broker cannot be reached; trying again until it can")
	case err == nil && was:
		delete(l.down, addr)
		component.Notice(l.log).Str("broker", addr).Msg("The broker is reached again")
	}
	l.err = err
}

// last returns why no broker can be reached, nil if one can.
func (l *link) last() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// complain logs that something waits or is tried again, and why, now and then.
func (l *link) complain(what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since == nil {
		l.since = make(map[string]time.Time)
	}
	if last, ok := l.since[what]; ok && time.Since(last) < complainTime {
		return
	}
	l.since[what] = time.Now()
	l.log.Warn().Err(err).Msg("Trying again: " + what)
}
