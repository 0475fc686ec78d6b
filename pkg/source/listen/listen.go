// Package listen is what sources that listen have in common: the short form of
// their address on the command line, binding it, saying why that failed, and
// serving TCP connections.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
)

// Everywhere is the address that stands for all of the machine's.
const Everywhere = "0.0.0.0"

// Target returns the target that sets the properties host, by the name it has,
// and port: ":5140", "localhost:5140", "[::1]:5140" or "5140". The port is for
// an example, should the word be none of these.
func Target(host string, port int) *component.Target {
	return &component.Target{
		Placeholder: "[HOST]:PORT",
		Properties: func(word string) (map[string]string, error) {
			hostPort := word
			if !strings.Contains(word, ":") {
				hostPort = ":" + word
			}
			name, number, err := net.SplitHostPort(hostPort)
			if err != nil || number == "" || strings.Trim(number, "0123456789") != "" {
				return nil, fault.Hint(fmt.Errorf("%q is not [HOST]:PORT", word), "write :%[1]d, localhost:%[1]d or [::1]:%[1]d", port)
			}
			if name == "" {
				name = Everywhere
			}
			return map[string]string{host: name, "port": number}, nil
		},
	}
}

// Address is where to listen.
type Address struct {
	HostProperty string // what Host is called
	Host         string
	Port         int
}

// String returns what Go calls the address.
func (a Address) String() string {
	host := a.Host
	if host == Everywhere {
		host = "" // which Go takes as both IPv4 and IPv6, as Java does 0.0.0.0
	}
	return net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// TCP binds a TCP port.
func TCP(ctx context.Context, a Address) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.String())
	if err != nil {
		return nil, a.explain(err, "ss -ltnp")
	}
	return listener, nil
}

// UDP binds a UDP port.
func UDP(ctx context.Context, a Address) (*net.UDPConn, error) {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", a.String())
	if err != nil {
		return nil, a.explain(err, "ss -lunp")
	}
	return conn.(*net.UDPConn), nil
}

// explain says which property a failure to listen comes from and how to mend
// it; ss lists who listens.
func (a Address) explain(err error, ss string) error {
	cause := err
	var op *net.OpError
	if errors.As(err, &op) {
		cause = op.Err
	}
	err = fmt.Errorf("listening on %s %s, port %d: %w", a.HostProperty, a.Host, a.Port, cause)
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.Hint(err, "choose another port, or see who has this one: %s 'sport = :%d'", ss, a.Port)
	case errors.Is(err, syscall.EACCES):
		return fault.Hint(err, "ports below 1024 are for root alone: choose another, or grant CAP_NET_BIND_SERVICE")
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &dns):
		return fault.Hint(err, "set %s to an address or a name of this machine, or to %s", a.HostProperty, Everywhere)
	}
	return err
}
