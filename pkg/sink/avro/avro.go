// Package avro is the avro sink: it sends events to an avro source, Flume's or
// that of fsrc.
//
//	fsrc netcat :44444 | fsink avro collector:4141
//	fsrc avro :4141 | fsink file_roll /data        on the collector
//
// Events are delivered when the source has committed them and says so. One
// request is under way at a time, of batch-size events at most, so that they
// are committed in order. A request that is refused, or not answered within
// request-timeout, is sent again; what was committed without an answer then
// arrives twice.
//
// When events wait and the source is one of fsrc, which tells how many its
// channels commit at once, up to eight batches go in one request.
//
// The connection is made when there are events, and kept. With
// reset-connection-interval it is made anew every so often, which spreads the
// sinks over the servers of a load balancer.
//
// With client.type default_failover or default_loadbalance the sink sends to
// one of several sources; hostname and port are then of no account:
//
//	fsink avro --client.type default_failover --hosts 'a b' \
//		--hosts.a=one:4141 --hosts.b=two:4141
//
// With compression-type deflate the source must expect compressed data, with ssl
// it must speak TLS. Without a truststore the system's certificate authorities
// count.
package avro

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/rpc"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed avro.go
var source string

// Spec is this sink's line in the catalogue.
var Spec = sink.Spec{
	Name:    "avro",
	Class:   "org.apache.flume.sink.AvroSink",
	Summary: "Send events to an avro source.",
	Manual:  component.Manual(source),
	Target:  &component.Target{Placeholder: "HOST:PORT", Properties: address},
	New:     func() sink.Options { return new(Options) },
}

// address reads "collector:4141" or "[::1]:4141".
func address(word string) (map[string]string, error) {
	host, port, err := net.SplitHostPort(word)
	if err != nil || host == "" {
		return nil, fault.Hint(fmt.Errorf("%q is not HOST:PORT", word), "write collector:4141 or [::1]:4141")
	}
	return map[string]string{"hostname": host, "port": port}, nil
}

// Options are the properties of an avro sink.
type Options struct {
	Hostname      string         `name:"hostname" placeholder:"HOST" help:"Host to connect to."`
	Port          option.Int     `name:"port" placeholder:"PORT" help:"Port to connect to."`
	ResetInterval option.Seconds `name:"reset-connection-interval" default:"0" help:"Make the connection anew when it is so old; 0 keeps it."`
	Client        rpc.Options    `embed:""`
}

// Validate checks what the values alone can tell.
//
// Flume: hostname and port are required even where hosts are named.
func (o *Options) Validate() error {
	switch {
	case len(o.Client.Hosts) > 0:
	case o.Hostname == "":
		return fault.Hint(fmt.Errorf("hostname: No hostname specified"), "set hostname and port, as in fsink avro collector:4141")
	case o.Port < 1 || o.Port > 65535:
		return fault.Hint(fmt.Errorf("port is %d", o.Port), "set it to the port of the avro source, from 1 to 65535")
	}
	if o.ResetInterval < 0 {
		return fault.Hint(fmt.Errorf("reset-connection-interval is %v", o.ResetInterval), "it must be 0, for never, or more")
	}
	return nil
}

// MaxEvents implements sink.Batcher.
func (o *Options) MaxEvents() int { return o.Client.MaxEvents() }

// Open implements sink.Options. It does not connect: a source that is away just
// now is waited for.
func (o *Options) Open(ctx context.Context) (sink.Sink, error) {
	opt := o.Client
	if len(opt.Hosts) == 0 {
		opt.Hosts = []string{alone}
		opt.Addresses = map[string]string{alone: net.JoinHostPort(o.Hostname, strconv.Itoa(int(o.Port)))}
	}
	s := &sender{ctx: ctx, opt: &opt, reset: o.ResetInterval.Duration(), log: zerolog.Ctx(ctx)}
	return s, s.connect()
}

// alone is the name of the only host, as in Flume.
const alone = "h1"

// sender is an open avro sink.
type sender struct {
	ctx   context.Context // for the client's logger
	opt   *rpc.Options
	reset time.Duration // 0: never
	log   *zerolog.Logger

	client rpc.Client
	made   time.Time
}

// connect makes the client, which connects at its first request.
func (s *sender) connect() error {
	client, err := rpc.New(s.ctx, s.opt)
	if err != nil {
		return err
	}
	if s.client != nil {
		s.client.Close()
	}
	s.client, s.made = client, time.Now()
	return nil
}

// MaxEvents implements sink.Batcher.
func (s *sender) MaxEvents() int { return s.client.BatchSize() }

func (s *sender) Write(ctx context.Context, b *event.Batch) error {
	if err := ctx.Err(); err != nil || b.Len() == 0 {
		return err
	}
	if s.reset > 0 && time.Since(s.made) >= s.reset {
		if err := s.connect(); err != nil {
			return fmt.Errorf("resetting the connection: %w", err)
		}
	}
	return s.client.AppendBatch(ctx, b)
}

func (s *sender) Close() error { return s.client.Close() }
