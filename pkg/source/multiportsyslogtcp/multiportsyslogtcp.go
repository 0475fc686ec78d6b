// Package multiportsyslogtcp is the multiport_syslogtcp source: it takes syslog
// messages from TCP connections to any number of ports.
//
// It takes the messages that syslogtcp does, and differs from it in these:
//
//   - Each port may have its character set. A message that is not written in it
//     is kept as it came, with the header flume.syslog.status=Invalid and
//     without Facility and Severity. The body is in the character set that it
//     came in, headers are in UTF-8.
//   - The headers Priority and Version have capitals.
//   - Where the time is "-", the header timestamp is the present.
//   - What is no syslog message is kept whole and has the header
//     flume.syslog.status=Invalid, with Facility and Severity only if it begins
//     with a priority.
//   - portHeader names a header for the port.
//
// As with syslogtcp, there are no acknowledgements: while the channel is full
// the senders have to wait, and what was received and not yet committed is lost
// if the source is killed. Asked to stop, it goes on for a fifth of a second, to
// take what the system has received.
//
//	fsrc multiport_syslogtcp 10001,10002 --portHeader port | fsink file_roll /var/log/all
package multiportsyslogtcp

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/listen"
	"github.com/flumekit/flumekit/pkg/source/syslog"
	"github.com/flumekit/flumekit/pkg/tlsconf"
)

//go:embed multiportsyslogtcp.go
var text string

// Spec is this source's line in the catalogue.
var Spec = source.Spec{
	Name:    "multiport_syslogtcp",
	Class:   "org.apache.flume.source.MultiportSyslogTCPSource",
	Summary: "Take syslog messages from several TCP ports.",
	Manual:  component.Manual(text),
	Target: &component.Target{
		Placeholder: "PORT,...",
		Properties: func(word string) (map[string]string, error) {
			return map[string]string{"ports": strings.ReplaceAll(word, ",", " ")}, nil
		},
	},
	New: func() source.Options { return new(Options) },
}

// Options are the properties of a multiport_syslogtcp source.
//
// Flume: takes any number of connections.
type Options struct {
	Host           string                    `name:"host" default:"0.0.0.0" placeholder:"HOST" help:"Address or host name to listen on; 0.0.0.0 is all of the machine's addresses, of IPv4 and IPv6."`
	Ports          []option.Int              `name:"ports" sep:" " required:"" placeholder:"PORTS" help:"Ports to listen on, with blanks between; 0 takes a free one."`
	EventSize      option.Int                `name:"eventSize" default:"2500" placeholder:"BYTES" help:"Most bytes of a message."`
	KeepFields     syslog.KeepFields         `name:"keepFields" default:"none" placeholder:"FIELDS" help:"What stays in the body: none, all (the message as it came), or some of priority, version, timestamp, hostname."`
	PortHeader     string                    `name:"portHeader" placeholder:"NAME" help:"Header for the port that the message came to."`
	Client         syslog.Client             `embed:""`
	Charset        option.Charset            `name:"charset.default" default:"UTF-8" placeholder:"CHARSET" help:"Character set of the messages."`
	Charsets       map[string]option.Charset `name:"charset.port.<port>" placeholder:"CHARSET" help:"Character set of the messages that come to one port."`
	BatchSize      option.Int                `name:"batchSize" default:"100" placeholder:"N" help:"Most messages to commit together."`
	MaxConnections option.Int                `name:"max-connections" default:"1024" placeholder:"N" help:"Most senders at a time, for each port; each may take a megabyte. Further ones are turned away."`
	ReadBuffer     string                    `name:"readBufferSize" aliases:"readBufferBytes" notice:"a connection's buffer grows as it is needed"`
	Processors     string                    `name:"numProcessors" notice:"all processors serve all connections"`
	TLS            tlsconf.Server            `embed:"" group:"TLS"`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case len(o.Ports) == 0:
		return errors.New("ports has no port; it must have one or more")
	case o.EventSize < 1:
		return fmt.Errorf("eventSize is %d; it must be 1 or more", o.EventSize)
	case o.BatchSize < 1:
		return fmt.Errorf("batchSize is %d; it must be 1 or more", o.BatchSize)
	case o.MaxConnections < 1:
		return fmt.Errorf("max-connections is %d; it must be 1 or more", o.MaxConnections)
	}
	for _, port := range o.Ports {
		if port < 0 || port > 65535 {
			return fmt.Errorf("ports has %d; a port must be from 0 to 65535", port)
		}
	}
	_, err := o.charsets()
	return err
}

// Warnings returns which character sets have no effect.
func (o *Options) Warnings() []error {
	charsets, err := o.charsets()
	if err != nil || slices.Contains(o.Ports, 0) {
		return nil
	}
	var found []error
	for _, port := range slices.Sorted(maps.Keys(charsets)) {
		if !slices.Contains(o.Ports, option.Int(port)) {
			found = append(found, fmt.Errorf("charset.port.%d is set, and %d is not among the ports", port, port))
		}
	}
	return found
}

// charsets returns the character sets of ports by their number.
func (o *Options) charsets() (map[int]option.Charset, error) {
	sets := make(map[int]option.Charset)
	for port, charset := range o.Charsets {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("charset.port.%s is for %q, which is no port", port, port)
		}
		sets[int(number)] = charset
	}
	return sets, nil
}

// Open implements source.Options: it binds the ports.
//
// Flume: a port that cannot be bound is logged, and the others are served; here
// the source does not start.
func (o *Options) Open(ctx context.Context) (source.Source, error) {
	charsets, err := o.charsets()
	if err != nil {
		return nil, err
	}
	secure, err := o.TLS.Config()
	if err != nil {
		return nil, err
	}
	var listeners []net.Listener
	for _, port := range o.Ports {
		listener, err := listen.TCP(ctx, listen.Address{HostProperty: "host", Host: o.Host, Port: int(port)})
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	return &syslog.Server{
		Listeners:      listeners,
		TLS:            secure,
		MaxConnections: int(o.MaxConnections),
		EventSize:      int(o.EventSize),
		BatchSize:      int(o.BatchSize),
		Parser: func(ctx context.Context, conn net.Conn) *syslog.Parser {
			return o.parser(ctx, conn, charsets)
		},
	}, nil
}

// parser returns a parser for one connection's messages.
func (o *Options) parser(ctx context.Context, conn net.Conn, charsets map[int]option.Charset) *syslog.Parser {
	port := conn.LocalAddr().(*net.TCPAddr).Port
	p := &syslog.Parser{Dialect: syslog.Multiport, Keep: o.KeepFields, Charset: o.Charset}
	if charset, ok := charsets[port]; ok {
		p.Charset = charset
	}
	if o.PortHeader != "" {
		p.Extra = append(p.Extra, o.PortHeader, strconv.Itoa(port))
	}
	p.Extra = append(p.Extra, o.Client.Headers(ctx, conn.RemoteAddr())...)
	return p
}
