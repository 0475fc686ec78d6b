// Package rpc speaks Flume's Avro RPC: the protocol between an avro sink, or
// an application that uses Flume's client, and an avro source.
//
// A Client delivers events. New makes one from Options, whose fields have the
// names of Flume's client properties: one server (default), several in turn
// when one fails (default_failover), or several that share the load
// (default_loadbalance).
//
//	client, err := rpc.New(ctx, &rpc.Options{
//		Hosts:     []string{"h1"},
//		Addresses: map[string]string{"h1": "collector:4141"},
//	})
//	…
//	err = client.AppendBatch(ctx, &batch)
//
// A nil error says that the server has committed the events. After any other
// it may have or not: who sends them again delivers them at least once. A
// StatusError says that the server is there and does not take the events now,
// most likely because its channel is full. Where there is none the error is that
// of the connection, such as syscall.ECONNREFUSED. connect-timeout and
// request-timeout end a call with an os.ErrDeadlineExceeded, and a context with
// its cause.
//
// A Server takes events from such clients, Flume's own among them, and hands
// each request to a function, whose result is the answer.
//
// # On the wire
//
// Numbers are big-endian. A frame is a serial number (4 bytes), the number of
// its buffers (4 bytes), and each buffer's length (4 bytes) and bytes. The
// buffers joined are an Avro IPC request or response; a response has its
// request's serial. The first request of a connection begins with Avro's
// handshake, in which both name their protocol by its MD5. The messages are
// append, with one event, and appendBatch, with an array of them. An event is a
// record of headers, a map of strings, and body, bytes; the response is an enum
// of OK, FAILED and UNKNOWN.
//
// The metadata of the handshake has one entry, flumekit.max-events, by which a
// Client of ours asks a Server of ours how many events it commits at once.
// Flume's neither send nor mind it.
//
// With deflate, each direction is one zlib stream, flushed after every frame.
// With TLS as well, Flume 1.10 and 1.11 put TLS within the compressed stream,
// and Flume up to 1.9 the compressed stream within TLS. A Server finds out
// which it is; a client is told by compression-order.
package rpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/flumekit/flumekit/pkg/event"
)

// Client delivers events to a server. Its methods may be called by any number
// of goroutines; calls wait for one another.
type Client interface {
	// Append delivers one event.
	Append(ctx context.Context, e event.Event) error
	// AppendBatch delivers the events of b in order, at most BatchSize of
	// them in one request. After an error some requests may have been
	// committed.
	AppendBatch(ctx context.Context, b *event.Batch) error
	// BatchSize is the most events in one request: batch-size, or for a client
	// of one server, while connected to a Server of this package, as many as
	// that commits at once, but at most eight times batch-size.
	BatchSize() int
	// Close ends the connections. Calls after it, and those under way, fail.
	Close() error
}

// Status is a server's answer to a request.
type Status int

const (
	// OK says that the events are committed.
	OK Status = iota
	// Failed says that they are not, because the server's channel refused
	// them or failed.
	Failed
	// Unknown is in the protocol, and no server is known to answer it.
	Unknown
)

// String returns the name that s has in the protocol.
func (s Status) String() string {
	switch s {
	case OK:
		return "OK"
	case Failed:
		return "FAILED"
	case Unknown:
		return "UNKNOWN"
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// StatusError is what a Client returns for an answer that is not OK. The
// connection is as good as before.
type StatusError struct{ Status Status }

func (e *StatusError) Error() string {
	return fmt.Sprintf("Avro RPC call returned Status: %v", e.Status)
}

// RemoteError is what a Client returns when the server answers with an error of
// the protocol's own: it could not read the request, or failed without knowing
// what became of it. The connection is as good as before.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string {
	return fmt.Sprintf("the server answered with the error %q", e.Text)
}

// ErrClosed is what calls of a closed Client return.
var ErrClosed = errors.New("the client is closed")

// ErrMalformed is wrapped by the errors for bytes that are not the protocol.
var ErrMalformed = errors.New("malformed Avro RPC")

// New returns the client that opt describes. It connects at the first call, and
// again at the first call after a failure. A logger comes with ctx; it is told
// when one of several servers is passed over.
//
// Flume: a client that failed once is of no use any more and must be made anew.
func New(ctx context.Context, opt *Options) (Client, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	servers, err := opt.servers()
	if err != nil {
		return nil, err
	}
	conns := make([]*connection, len(servers))
	for i, server := range servers {
		if conns[i], err = newConnection(opt, server); err != nil {
			return nil, err
		}
	}
	switch opt.Type {
	case Failover:
		return newFailover(ctx, opt, conns), nil
	case LoadBalance:
		return newLoadBalance(ctx, opt, conns), nil
	}
	return conns[0], nil
}
