// Package leafnode makes this process a leaf node of a NATS hub: a nats-server
// that listens nowhere, keeps nothing, and has one connection, to the hub's
// leafnode port. It is what channel/jetstream forwards over at the edge.
package leafnode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel/jetstream"
)

type leaf struct{ server *server.Server }

// Start starts a leaf node. It connects to the hub whenever it can; the server's
// log goes to ctx's logger, all else of ctx ends with Start. Start is a
// jetstream.StartLeaf.
func Start(ctx context.Context, conf jetstream.LeafConfig) (jetstream.Leaf, error) {
	host, _ := os.Hostname()
	s, err := server.NewServer(&server.Options{
		ServerName:      fmt.Sprintf("flumekit-%s-%d", host, os.Getpid()),
		DontListen:      true,
		NoSigs:          true,
		NoSystemAccount: true,
		MaxPayload:      int32(conf.MaxPayload),
		LeafNode: server.LeafNodeOpts{
			ReconnectInterval: time.Second,
			Remotes: []*server.RemoteLeafOpts{{
				URLs:              conf.URLs,
				Credentials:       conf.Creds,
				TLS:               conf.TLS != nil,
				TLSConfig:         conf.TLS,
				TLSHandshakeFirst: conf.TLSFirst,
			}},
		},
	})
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(log{zerolog.Ctx(ctx).With().Str("from", "nats-server").Logger()}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, errors.Join(errors.New("the nats-server in this process does not start"), leaf{s}.Close())
	}
	return leaf{s}, nil
}

// InProcessConn implements jetstream.Leaf.
func (l leaf) InProcessConn() (net.Conn, error) { return l.server.InProcessConn() }

// Close implements jetstream.Leaf.
func (l leaf) Close() error {
	l.server.Shutdown()
	l.server.WaitForShutdown()
	return nil
}

// log is the server's log. What is a notice to those who run a server is a detail
// to those who run a channel.
type log struct{ zerolog.Logger }

func (l log) Noticef(format string, v ...any) { l.Debug().Msgf(format, v...) }
func (l log) Debugf(format string, v ...any)  { l.Trace().Msgf(format, v...) }
func (l log) Tracef(format string, v ...any)  { l.Trace().Msgf(format, v...) }
func (l log) Warnf(format string, v ...any)   { l.Warn().Msgf(format, v...) }
func (l log) Errorf(format string, v ...any)  { l.Error().Msgf(format, v...) }
func (l log) Fatalf(format string, v ...any)  { l.Error().Msgf(format, v...) }
