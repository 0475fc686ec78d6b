// Package syslogtcp is the syslogtcp source: it takes syslog messages from TCP
// connections.
//
// A message ends with a newline, or has its length before it (octet counting);
// both are known by their beginning. It is of RFC 3164 or RFC 5424:
//
//	<13>Oct 11 22:14:15 mymachine su: 'su root' failed
//	<165>1 2003-10-11T22:14:15.003Z mymachine evntslog - ID47 - An event
//
// The event's body is what follows the host; keepFields leaves more in it. The
// headers are Facility, Severity, priority, version, timestamp (milliseconds
// since 1970) and host, those that the message has. A time without a zone is
// of the machine's; one without a year is of the past eleven months, or of the
// next.
//
//   - A message with a priority and of no known form else is kept whole, with the
//     headers Facility and Severity.
//   - A message without a priority is kept whole, with Facility and Severity 0
//     and the header flume.syslog.status=Invalid.
//   - A message longer than eventSize is cut into several: the first has the
//     header flume.syslog.status=Incomplete, and so has what a connection broke
//     off in; of the others, those without a priority are marked Invalid.
//   - A carriage return before the newline stays in the body.
//   - format.regex adds a form of your own.
//
// Syslog over TCP has no acknowledgements: the sender believes that a message
// has arrived when the system has taken it. While the channel is full nothing
// is read, and the sender has to wait. What was read and not yet committed, two
// batches of each connection at most, and what the system has received and the
// source has not read, is lost if the source is killed. Asked to stop, it
// goes on for a fifth of a second, to take what the system has received.
//
//	fsrc syslogtcp :5140 | fsink file_roll /var/log/all
//	fsrc syslogtcp :6514 --ssl --keystore server.pem | fchan file /var/spool/c1
package syslogtcp

import (
	"context"
	_ "embed"
	"fmt"
	"net"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/listen"
	"github.com/flumekit/flumekit/pkg/source/syslog"
	"github.com/flumekit/flumekit/pkg/tlsconf"
)

//go:embed syslogtcp.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "syslogtcp",
	Class:   "org.apache.flume.source.SyslogTcpSource",
	Summary: "Take syslog messages from a TCP port.",
	Manual:  component.Manual(text),
	Target:  listen.Target("host", 5140),
	New:     func() source.Options { return new(Options) },
}

// Options are the properties of a syslogtcp source.
//
// Flume: listens nowhere without a host, and takes any number of connections.
type Options struct {
	Host           string            `name:"host" default:"0.0.0.0" placeholder:"HOST" help:"Address or host name to listen on; 0.0.0.0 is all of the machine's addresses, of IPv4 and IPv6."`
	Port           option.Int        `name:"port" required:"" placeholder:"PORT" help:"Port to listen on; 0 takes a free one."`
	EventSize      option.Int        `name:"eventSize" default:"2500" placeholder:"BYTES" help:"Most bytes of a message."`
	KeepFields     syslog.KeepFields `name:"keepFields" default:"none" placeholder:"FIELDS" help:"What stays in the body: none, all (the message as it came), or some of priority, version, timestamp, hostname."`
	Client         syslog.Client     `embed:""`
	Format         syslog.Format     `embed:""`
	MaxConnections option.Int        `name:"max-connections" default:"1024" placeholder:"N" help:"Most senders at a time; each may take a megabyte. Further ones are turned away."`
	TLS            tlsconf.Server    `embed:"" group:"TLS"`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("port is %d; it must be from 0 to 65535", o.Port)
	case o.EventSize < 1:
		return fmt.Errorf("eventSize is %d; it must be 1 or more", o.EventSize)
	case o.MaxConnections < 1:
		return fmt.Errorf("max-connections is %d; it must be 1 or more", o.MaxConnections)
	}
	return nil
}

// Open implements source.Options: it binds the port.
func (o *Options) Open(ctx context.Context) (source.Source, error) {
	format, err := o.Format.Custom()
	if err != nil {
		return nil, err
	}
	secure, err := o.TLS.Config()
	if err != nil {
		return nil, err
	}
	listener, err := listen.TCP(ctx, listen.Address{HostProperty: "host", Host: o.Host, Port: int(o.Port)})
	if err != nil {
		return nil, err
	}
	return &syslog.Server{
		Listeners:      []net.Listener{listener},
		TLS:            secure,
		MaxConnections: int(o.MaxConnections),
		EventSize:      int(o.EventSize),
		Parser: func(ctx context.Context, conn net.Conn) *syslog.Parser {
			return &syslog.Parser{Keep: o.KeepFields, Custom: format, Extra: o.Client.Headers(ctx, conn.RemoteAddr())}
		},
	}, nil
}
