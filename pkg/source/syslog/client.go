package syslog

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Client is the properties of the headers that say who sent a message.
type Client struct {
	IPHeader       string `name:"clientIPHeader" placeholder:"NAME" help:"Header for the sender's IP address."`
	HostnameHeader string `name:"clientHostnameHeader" placeholder:"NAME" help:"Header for the sender's host name; its address if it has none. The name is looked up once for each connection or sender."`
}

// Wanted says whether there is a header to make.
func (c *Client) Wanted() bool { return c.IPHeader != "" || c.HostnameHeader != "" }

// lookupTime is how long a name server may take.
const lookupTime = 2 * time.Second

// Headers returns the headers for a sender, keys and values in turn.
func (c *Client) Headers(ctx context.Context, addr net.Addr) []string {
	var headers []string
	ip := ipOf(addr)
	if c.IPHeader != "" {
		headers = append(headers, c.IPHeader, ip)
	}
	if c.HostnameHeader != "" {
		ctx, cancel := context.WithTimeout(ctx, lookupTime)
		defer cancel()
		name := ip
		if names, err := net.DefaultResolver.LookupAddr(ctx, ip); err == nil && len(names) > 0 {
			name = strings.TrimSuffix(names[0], ".")
		}
		headers = append(headers, c.HostnameHeader, name)
	}
	return headers
}

func ipOf(addr net.Addr) string {
	port, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return ""
	}
	return port.Addr().Unmap().WithZone("").String()
}
