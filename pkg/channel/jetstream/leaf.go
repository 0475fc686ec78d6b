package jetstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Leaf is a leaf node in this process.
type Leaf interface {
	// InProcessConn returns a connection to it.
	InProcessConn() (net.Conn, error)
	// Close ends it.
	Close() error
}

// LeafConfig says of which hub a leaf node is one.
type LeafConfig struct {
	// URLs are those of the hub's leafnode port, with user and password where
	// the hub asks for them.
	URLs []*url.URL
	// Creds is a credentials file, "" for none.
	Creds string
	// TLS is nil if nothing is said of it; TLSFirst begins with its handshake.
	TLS      *tls.Config
	TLSFirst bool
	// MaxPayload is the most bytes of one message.
	MaxPayload int
}

// StartLeaf starts a leaf node, which connects to the hub by itself as often as
// need be. It is what the command that runs a channel brings along, so that
// those who only read its options need not have a nats-server in them.
type StartLeaf func(ctx context.Context, conf LeafConfig) (Leaf, error)

type leafKey struct{}

// WithLeaf returns a context with which an edge channel that is a leaf node can be
// opened.
func WithLeaf(ctx context.Context, start StartLeaf) context.Context {
	return context.WithValue(ctx, leafKey{}, start)
}

// isLeaf reports whether the servers are reached as a leaf node.
func (o *Options) isLeaf() bool {
	return len(o.Servers) > 0 && strings.HasPrefix(o.Servers[0], "nats-leaf:")
}

func (o *Options) startLeaf(ctx context.Context) (Leaf, error) {
	start, ok := ctx.Value(leafKey{}).(StartLeaf)
	if !ok {
		return nil, errors.New("there is no leaf node in this command; write nats:// for the hub's client port")
	}
	conf := LeafConfig{Creds: o.Creds, TLSFirst: bool(o.TLSFirst), MaxPayload: int(o.MaxPayload)}
	var err error
	if conf.TLS, err = o.tlsConfig(); err != nil {
		return nil, err
	}
	for _, text := range o.Servers {
		u, err := url.Parse(text)
		if err != nil {
			return nil, err
		}
		switch {
		case o.User != "":
			password, err := o.password()
			if err != nil {
				return nil, err
			}
			u.User = url.UserPassword(o.User, password)
		case o.Token != "":
			u.User = url.User(string(o.Token))
		}
		conf.URLs = append(conf.URLs, u)
	}
	leaf, err := start(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("starting the leaf node: %w", err)
	}
	return leaf, nil
}

// validateLeaf checks what only an edge can have.
func (o *Options) validateLeaf() error {
	for _, u := range o.Servers {
		switch leaf := strings.HasPrefix(u, "nats-leaf:"); {
		case leaf && o.Edge == "":
			return fault.Hint(errors.New("servers: nats-leaf: is for an edge only"), "set edge, or write nats://HOST:4222")
		case leaf != o.isLeaf():
			return fault.Hint(errors.New("servers: nats-leaf: and other URLs"), "name either leafnode ports or client ports")
		}
	}
	if o.isLeaf() && o.NKey != "" {
		return fault.Hint(errors.New("nkey is set, but a leaf node does not take it"), "set creds, or user and password")
	}
	return nil
}
