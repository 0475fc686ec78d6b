// Package avro is the avro source: it takes events from Flume's avro sinks and
// RPC clients, and from fsink avro.
//
//	fsrc avro :4141 | fsink logger
//	fsink avro collector:4141        on another host
//
// A request is answered with OK once its events are committed to every required
// channel, and with FAILED when a channel refuses them: when it is full and
// stays so for its keep-alive, for example. The sender then sends them again.
// The events of one connection are committed in the order of its requests. A
// request that holds more events than a channel takes at once is committed in
// several parts.
//
// With compression-type deflate clients must compress, and with ssl they must
// speak TLS. With both, TLS is expected within the compressed stream, as Flume
// 1.10 and 1.11 have it, or the compressed stream within TLS, as Flume up to
// 1.9: what the client begins with decides. Flume up to 1.9 cannot speak TLSv1.3,
// which Java 11 and later have it try: include-protocols = TLSv1.2, here or in
// its sinks, lets them in.
//
// With ipFilter the first of ipFilterRules that fits a client says whether it
// may connect; if none fits it may. A rule is allow or deny, ip or name, and a
// pattern, in which * is any run of characters and ? is one:
//
//	ipFilterRules = allow:ip:10.*,allow:name:localhost,deny:ip:*
//
// A name is the one that the client's address has in the DNS, and localhost any
// address of this machine. An address of IPv6 is compared both as ::1 and, as
// Flume has it, as 0:0:0:0:0:0:0:1. Other signs mean what they do in regular
// expressions, as in Flume: deny:ip:10.0.[1-3].*.
//
// When the source is stopped, requests already read are committed and answered,
// and the connections are closed.
package avro

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/rpc"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/listen"
	"github.com/flumekit/flumekit/pkg/tlsconf"
)

//go:embed avro.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "avro",
	Class:   "org.apache.flume.source.AvroSource",
	Summary: "Take the events that avro sinks and Flume's clients send.",
	Manual:  component.Manual(text),
	Target:  listen.Target("bind", 4141),
	New:     func() source.Options { return new(Options) },
}

// Options are the properties of an avro source.
type Options struct {
	Bind           string          `name:"bind" required:"" placeholder:"HOST" help:"Address or host name to listen on; 0.0.0.0 is all of the machine's addresses, of IPv4 and IPv6."`
	Port           option.Int      `name:"port" required:"" placeholder:"PORT" help:"Port to listen on; 0 takes a free one."`
	Threads        string          `name:"threads" notice:"connections need no threads here, and Flume 1.11 does not heed it either"`
	Compression    rpc.Compression `name:"compression-type" default:"none" placeholder:"TYPE" help:"What clients do: none or deflate."`
	FilterIP       option.Bool     `name:"ipFilter" default:"false" help:"Turn away clients by ipFilterRules."`
	Rules          string          `name:"ipFilterRules" placeholder:"RULES" help:"Rules with commas between, such as allow:ip:10.*,deny:ip:*; the first that fits a client decides."`
	MaxRequest     option.Bytes    `name:"max-request-size" default:"64MiB" help:"Largest request; a client that sends a larger one is disconnected."`
	MaxConnections option.Int      `name:"max-connections" default:"1024" placeholder:"N" help:"Most clients at a time; one that is idle takes 100 kB or less."`
	TLS            tlsconf.Server  `embed:"" group:"TLS"`
}

// mostRequest is what max-request-size may be at most: a batch holds no more.
const mostRequest = 1 << 30

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case o.Port < 0 || o.Port > 65535:
		return fault.Hint(fmt.Errorf("port is %d", o.Port), "it must be from 0 to 65535")
	case o.MaxRequest < 1 || o.MaxRequest > mostRequest:
		return fault.Hint(fmt.Errorf("max-request-size is %v", o.MaxRequest), "it must be from 1 byte to %v", option.Bytes(mostRequest))
	case o.MaxConnections < 1:
		return fault.Hint(fmt.Errorf("max-connections is %d", o.MaxConnections), "it must be 1 or more")
	case bool(o.FilterIP) && strings.TrimSpace(o.Rules) == "":
		err := errors.New("ipFilter is configured with true but ipFilterRules is not defined")
		return fault.Hint(err, "write the rules, such as ipFilterRules = allow:ip:10.*,deny:ip:*")
	}
	if o.FilterIP {
		if _, err := parseRules(o.Rules); err != nil {
			return err
		}
	}
	return nil
}

// Open implements source.Options: it reads the key store and binds the port.
func (o *Options) Open(ctx context.Context) (source.Source, error) {
	config, err := o.TLS.Config()
	if err != nil {
		return nil, err
	}
	s := &server{rpc: rpc.Server{
		Compression:    o.Compression,
		TLS:            config,
		MaxRequest:     int(o.MaxRequest),
		MaxConnections: int(o.MaxConnections),
	}}
	if o.FilterIP {
		rules, err := parseRules(o.Rules)
		if err != nil {
			return nil, err
		}
		s.rpc.Admit = rules.admit
	}
	s.listener, err = listen.TCP(ctx, listen.Address{HostProperty: "bind", Host: o.Bind, Port: int(o.Port)})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// server is an open avro source.
type server struct {
	rpc      rpc.Server
	listener net.Listener
}

// Addr implements source.Addresser.
func (s *server) Addr() net.Addr { return s.listener.Addr() }

// Run implements source.Source.
func (s *server) Run(ctx context.Context, put source.Put) error {
	s.rpc.Append = func(b *event.Batch) error { return commit(put, b) }
	s.rpc.MaxEvents = func() int {
		if most := put.MaxEvents(); most > 0 {
			return most
		}
		return unbounded
	}
	return s.rpc.Serve(ctx, s.listener)
}

// unbounded is what clients are told where no channel has a bound.
const unbounded = 10000

// commit commits the events of a request, cut up as the channels need. When a
// part is refused the client sends all of them again, and those before it
// arrive twice.
//
// Flume: refuses a request that is larger than a channel's transaction however
// often it is sent.
func commit(put source.Put, b *event.Batch) error {
	most := put.MaxEvents()
	if most == 0 {
		return put.Try(b)
	}
	for part := range b.Split(most) {
		if err := put.Try(part); err != nil {
			return err
		}
	}
	return nil
}
