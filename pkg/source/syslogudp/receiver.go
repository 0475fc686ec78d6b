package syslogudp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/syslog"
)

const (
	// maxDatagram is the most bytes that a datagram can have.
	//
	// Flume: cuts datagrams at 2048 bytes.
	maxDatagram = 65535
	// most events and bytes are collected while a batch is being committed.
	mostEvents = 1000
	mostBytes  = 1 << 20
	// maxParsers is for how many senders there is a parser, if they need
	// one each.
	maxParsers = 1000
	// dropsTime is how often the system is asked for what it dropped.
	dropsTime = 5 * time.Second
)

// receiver is an open syslogudp source.
type receiver struct {
	opt    *Options
	format *syslog.Custom
	conn   *net.UDPConn

	parsers map[netip.Addr]*syslog.Parser // the zero address is for all, if that will do

	mu      sync.Mutex
	changed sync.Cond
	filling *event.Batch // received and not yet on their way
	ended   bool         // no more comes
	err     error        // of a commit
}

// Addr implements source.Addresser.
func (r *receiver) Addr() net.Addr { return r.conn.LocalAddr() }

// Run implements source.Source.
func (r *receiver) Run(ctx context.Context, put source.Put) error {
	component.Notice(zerolog.Ctx(ctx)).Msg("UDP gives no guarantee: what comes faster than it is committed is lost. The manual says how much the system keeps.")
	r.changed.L = &r.mu
	r.filling = new(event.Batch)
	r.parsers = make(map[netip.Addr]*syslog.Parser)
	defer context.AfterFunc(ctx, func() { r.conn.SetReadDeadline(time.Now().Add(syslog.DrainTime)) })()

	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var others sync.WaitGroup
	others.Go(func() { watchDrops(watching, r.conn) })
	others.Go(func() { r.commit(put) })
	err := r.receive(ctx)
	r.mu.Lock()
	r.ended = true
	r.changed.Broadcast()
	r.mu.Unlock()
	stop()
	others.Wait()
	r.conn.Close()
	if r.err != nil {
		return r.err
	}
	return err
}

// receive takes datagrams until DrainTime after ctx is done and those before
// have found room, or until a commit has failed.
//
// Flume: a datagram ends at a newline, and what follows that is lost.
func (r *receiver) receive(ctx context.Context) error {
	buf := make([]byte, maxDatagram)
	for draining := false; ; {
		if !draining && ctx.Err() != nil {
			draining = true // the time may have gone by in waiting for room
			r.conn.SetReadDeadline(time.Now().Add(syslog.DrainTime))
		}
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		switch {
		case r.failed() || errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("receiving datagrams: %w", err)
		}
		if msg := bytes.Trim(buf[:n], "\n"); len(msg) > 0 {
			r.take(r.parser(ctx, from), msg)
		}
	}
}

// parser returns the parser for a sender.
func (r *receiver) parser(ctx context.Context, from netip.AddrPort) *syslog.Parser {
	var key netip.Addr
	if r.opt.Client.Wanted() {
		key = from.Addr()
	}
	p, ok := r.parsers[key]
	if !ok {
		if len(r.parsers) == maxParsers {
			clear(r.parsers)
		}
		p = &syslog.Parser{Keep: r.opt.KeepFields, Custom: r.format, Extra: r.opt.Client.Headers(ctx, net.UDPAddrFromAddrPort(from))}
		r.parsers[key] = p
	}
	p.At(time.Now())
	return p
}

// take appends a message to the batch, when there is room.
func (r *receiver) take(p *syslog.Parser, msg []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil && (r.filling.Len() >= mostEvents || r.filling.Size() >= mostBytes) {
		r.changed.Wait()
	}
	p.Append(r.filling, msg, false)
	r.changed.Broadcast()
}

// commit commits what was received, all that has come meanwhile together, until
// no more comes.
func (r *receiver) commit(put source.Put) {
	batch := new(event.Batch)
	for {
		r.mu.Lock()
		for r.filling.Len() == 0 && !r.ended {
			r.changed.Wait()
		}
		batch, r.filling = r.filling, batch
		r.changed.Broadcast()
		r.mu.Unlock()
		if batch.Len() == 0 {
			return
		}
		err := put.Commit(batch)
		batch.Reset()
		if err != nil {
			r.mu.Lock()
			r.err = err
			r.changed.Broadcast()
			r.mu.Unlock()
			r.conn.SetReadDeadline(time.Unix(1, 0))
			return
		}
	}
}

func (r *receiver) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err != nil
}
