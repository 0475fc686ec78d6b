// Package netcat is the netcat source: it listens on a TCP port and takes each
// line that is sent to it as an event, as `nc -l` would.
//
// The event's body is the line without its newline; a carriage return before
// that stays in the body. Bodies are UTF-8 whatever encoding the client speaks.
//
// Each line is answered by a line, in order: "OK" once the event is committed
// to every required channel, or "FAILED: " and the reason. What was answered
// with FAILED, or not answered, was not taken; send it again. Without
// ack-every-event only failures are answered.
//
//   - A line that is longer than max-line-length is refused, and the connection
//     is closed.
//   - A line that is not valid in the encoding is refused, and the connection
//     goes on.
//   - The last line before the client closes its side counts although no
//     newline ends it.
//   - When the source is stopped, lines already read are committed and
//     answered, and the connections are closed.
//
// Lines that arrive together are committed together: a client that sends
// without waiting for each answer is served at the speed of the network, and
// one that waits is answered at once.
//
//	fsrc netcat :44444 | fsink logger
//	fsrc netcat localhost:44444 --max-line-length 65536 | fsink file_roll /data
package netcat

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/listen"
)

//go:embed netcat.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "netcat",
	Class:   "org.apache.flume.source.NetcatSource",
	Summary: "Take the lines that are sent to a TCP port.",
	Manual:  component.Manual(text),
	Target:  listen.Target("bind", 44444),
	New:     func() source.Options { return new(Options) },
}

// Options are the properties of a netcat source.
type Options struct {
	Bind           string         `name:"bind" required:"" placeholder:"HOST" help:"Address or host name to listen on; 0.0.0.0 is all of the machine's addresses, of IPv4 and IPv6."`
	Port           option.Int     `name:"port" required:"" placeholder:"PORT" help:"Port to listen on; 0 takes a free one."`
	MaxLineLength  option.Int     `name:"max-line-length" default:"512" placeholder:"CHARS" help:"Most characters in a line, its newline included, as UTF-16 counts them."`
	AckEveryEvent  option.Bool    `name:"ack-every-event" default:"true" help:"Answer OK for each event that was committed."`
	Encoding       option.Charset `name:"encoding" default:"UTF-8" placeholder:"CHARSET" help:"Character set of the lines and of the answers."`
	MaxConnections option.Int     `name:"max-connections" default:"1024" placeholder:"N" help:"Most clients at a time; each may take a megabyte."`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("port is %d; it must be from 0 to 65535", o.Port)
	case o.MaxLineLength < 1:
		return fmt.Errorf("max-line-length is %d; it must be 1 or more", o.MaxLineLength)
	case o.MaxConnections < 1:
		return fmt.Errorf("max-connections is %d; it must be 1 or more", o.MaxConnections)
	}
	return nil
}

// Open implements source.Options: it binds the port.
func (o *Options) Open(ctx context.Context) (source.Source, error) {
	listener, err := listen.TCP(ctx, listen.Address{HostProperty: "bind", Host: o.Bind, Port: int(o.Port)})
	if err != nil {
		return nil, err
	}
	return &server{opt: o, listener: listener}, nil
}

// server is an open netcat source.
type server struct {
	opt      *Options
	listener net.Listener
}

// Addr implements source.Addresser.
func (s *server) Addr() net.Addr { return s.listener.Addr() }

// Run implements source.Source.
func (s *server) Run(ctx context.Context, put source.Put) error {
	// A client's mistakes are its own to mend: it was told, the log is not flooded.
	log := zerolog.Ctx(ctx).Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second})
	serve := func(ctx context.Context, socket net.Conn) { newConn(s.opt, socket, put, log).serve(ctx) }
	turnAway := func(socket net.Conn) { newConn(s.opt, socket, put, log).turnAway() }
	return listen.Serve(log.WithContext(ctx), s.listener, int(s.opt.MaxConnections), serve, turnAway)
}
