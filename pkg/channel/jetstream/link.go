package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
)

const (
	// requestWait is how long a server may take to answer. An election of a
	// new leader takes up to ten seconds; asking again meanwhile costs little.
	requestWait = 3 * time.Second
	dialWait    = 5 * time.Second
	redialWait  = 250 * time.Millisecond
)

// link is a connection to the servers that is made again whenever it breaks.
type link struct {
	nc  *nats.Conn
	js  js.JetStream
	log zerolog.Logger
	api string // what the subjects of JetStream's API begin with
	url string // of all servers, without passwords

	mu   sync.Mutex
	conn context.Context // done when the connection breaks
	lost context.CancelFunc
	up   chan struct{} // closed when it stands again
	shut chan struct{} // closed when it is given up for good
}

// dial connects to one of the servers. Within connect-wait it tries again, and
// says so once, unless the servers do not want us.
func (o *Options) dial(ctx context.Context) (*link, error) {
	ways, err := o.identify()
	if err != nil {
		return nil, fault.WithStatus(err, fault.Config)
	}
	l := newLink(ctx, o.redacted())
	name := component.Name(ctx)
	ways = append(ways, nats.Name(strings.TrimSpace("flumekit "+name)), nats.Timeout(dialWait))
	err = o.persist(ctx, l.log, func() error { return l.connect(o, strings.Join(o.Servers, ","), ways...) })
	if err != nil {
		return nil, err
	}
	return l, nil
}

func newLink(ctx context.Context, url string) *link {
	l := &link{log: *zerolog.Ctx(ctx), url: url, shut: make(chan struct{})}
	l.conn, l.lost = context.WithCancel(context.Background())
	return l
}

// connect makes the connection, which is kept up from then on.
func (l *link) connect(o *Options, urls string, ways ...nats.Option) (err error) {
	l.nc, err = nats.Connect(urls, append(ways,
		nats.MaxReconnects(-1),
		nats.ReconnectWait(redialWait),
		nats.ReconnectJitter(redialWait, redialWait),
		// What was sent into the void is sent again by those who know
		// that nobody has answered. Nothing may come late behind their back.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(10*time.Second),
		nats.DisconnectErrHandler(l.disconnected),
		nats.ReconnectHandler(l.reconnected),
		nats.ClosedHandler(func(*nats.Conn) { close(l.shut) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			l.log.Warn().Err(err).Msg("the NATS server reports an error")
		}),
	)...)
	if err != nil {
		return err
	}
	switch {
	case o.Domain != "":
		l.api = "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		l.api = strings.TrimSuffix(o.APIPrefix, ".") + "."
	default:
		l.api = js.DefaultAPIPrefix
	}
	if l.js, err = js.NewWithAPIPrefix(l.nc, l.api); err != nil {
		l.close()
	}
	return err
}

// close gives the connection up.
func (l *link) close() {
	l.nc.Close()
	<-l.shut
}

func (l *link) disconnected(nc *nats.Conn, err error) {
	l.mu.Lock()
	if l.conn.Err() == nil {
		l.lost()
		l.up = make(chan struct{})
	}
	l.mu.Unlock()
	if !nc.IsClosed() {
		l.log.Warn().Err(err).Str("servers", l.url).Msg("the connection to NATS is lost; trying to connect again")
	}
}

func (l *link) reconnected(nc *nats.Conn) {
	l.mu.Lock()
	if l.conn.Err() != nil {
		l.conn, l.lost = context.WithCancel(context.Background())
		close(l.up)
	}
	l.mu.Unlock()
	l.log.Info().Str("server", nc.ConnectedUrlRedacted()).Msg("connected to NATS")
}

// attempt returns a context for one request: done when it has taken too long,
// or the connection over which the answer would come is lost.
func (l *link) attempt(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestWait, errNoAnswer)
	ctx, abandon := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.connection(), func() { abandon(nats.ErrDisconnected) })
	return ctx, func() {
		stop()
		abandon(nil)
		cancel()
	}
}

var errNoAnswer = errors.New("no answer")

// because returns why an attempt has ended with err.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// connection returns a context that is done when the connection is lost.
func (l *link) connection() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn
}

// back returns a channel that is closed when the connection, which is lost, stands
// again; nil while it is not lost.
func (l *link) back() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn.Err() == nil {
		return nil
	}
	return l.up
}

// persist does what is done at the start until it succeeds or can never, or
// connect-wait is over.
func (o *Options) persist(ctx context.Context, log zerolog.Logger, do func() error) error {
	if o.ConnectWait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.ConnectWait.Duration())
		defer cancel()
	}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := do()
		if err == nil {
			return nil
		}
		if !passes(err) {
			return fmt.Errorf("connecting to %s: %w", o.redacted(), err)
		}
		if pause == 50*time.Millisecond {
			log.Debug().Err(err).Str("servers", o.redacted()).Msg("trying again")
		} else if pause == 800*time.Millisecond {
			log.Warn().Err(err).Str("servers", o.redacted()).Msg("NATS does not answer yet; trying again")
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fault.WithStatus(fault.Hint(fmt.Errorf("connecting to %s: %w", o.redacted(), err),
				"see that the servers run and can be reached from here; --connect-wait=0 waits for as long as it takes"), fault.TryAgain)
		}
	}
}

// passes reports whether what failed with err may succeed later.
func passes(err error) bool {
	var api *js.APIError
	var wrong *unfit
	switch {
	case errors.As(err, &wrong):
		return false
	case errors.As(err, &api):
		return api.Code == 503 || api.Code == 500 && api.ErrorCode == notLeader
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired), errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted),
		errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, js.ErrJetStreamNotEnabledForAccount):
		return false
	}
	return !strings.Contains(err.Error(), "tls: ") && !strings.Contains(err.Error(), "x509: ")
}

// notLeader is JetStream's error code for a server that does not lead.
const notLeader js.ErrorCode = 10009
