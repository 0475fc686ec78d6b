// Package syslogudp is the syslogudp source: it takes syslog messages from UDP,
// each datagram as one.
//
// Messages, events and headers are those of syslogtcp. Newlines at the beginning
// and the end of a datagram are not part of its message; within it they are. A
// datagram without anything else is no message.
//
// UDP loses messages without a word to anybody: on the way, and where they come
// faster than they are committed, since the system keeps only as many as fit in
// its receive buffer. The source asks for as large a buffer as the system gives
// (on Linux net.core.rmem_max), and logs what the system says it dropped. Asked
// to stop, it goes on for a fifth of a second, to take what is in the buffer.
// Senders that must not lose messages use syslogtcp.
//
//	fsrc syslogudp :5140 | fsink file_roll /var/log/all
package syslogudp

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/listen"
	"github.com/flumekit/flumekit/pkg/source/syslog"
)

//go:embed syslogudp.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "syslogudp",
	Class:   "org.apache.flume.source.SyslogUDPSource",
	Summary: "Take syslog messages from a UDP port.",
	Manual:  component.Manual(text),
	Target:  listen.Target("host", 5140),
	New:     func() source.Options { return new(Options) },
}

// Options are the properties of a syslogudp source.
type Options struct {
	Host       string            `name:"host" default:"0.0.0.0" placeholder:"HOST" help:"Address or host name to listen on; 0.0.0.0 is all of the machine's addresses, of IPv4 and IPv6."`
	Port       option.Int        `name:"port" required:"" placeholder:"PORT" help:"Port to listen on; 0 takes a free one."`
	KeepFields syslog.KeepFields `name:"keepFields" default:"none" placeholder:"FIELDS" help:"What stays in the body: none, all (the message as it came), or some of priority, version, timestamp, hostname."`
	Client     syslog.Client     `embed:""`
	Format     syslog.Format     `embed:""`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("port is %d; it must be from 0 to 65535", o.Port)
	}
	return nil
}

// receiveBuffer is what the system is asked for; it gives what it likes.
const receiveBuffer = 64 << 20

// Open implements source.Options: it binds the port.
func (o *Options) Open(ctx context.Context) (source.Source, error) {
	format, err := o.Format.Custom()
	if err != nil {
		return nil, err
	}
	conn, err := listen.UDP(ctx, listen.Address{HostProperty: "host", Host: o.Host, Port: int(o.Port)})
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadBuffer(receiveBuffer); err != nil {
		conn.Close()
		return nil, fmt.Errorf("asking for a receive buffer: %w", err)
	}
	return &receiver{opt: o, format: format, conn: conn}, nil
}
