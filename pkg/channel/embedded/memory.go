package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
)

// mostInMemory is the most bytes of one message's data.
const mostInMemory = 31 << 20

const totalsHeader = "Flumekit-Totals"

// stored is a stream in an embedded server.
type stored struct {
	srv    *server.Server
	puts   *nats.Conn // the server reads for one connection at a time,
	reads  *nats.Conn // so that bulk reads must not stand before appends
	js     js.JetStream
	stream js.Stream
}

// openMemory starts a server that keeps all in memory.
func openMemory(ctx context.Context) (channel.Store, error) {
	// JetStream asks for a directory even where it keeps nothing in it.
	dir, err := os.MkdirTemp("", "fchan-")
	if err != nil {
		return nil, fmt.Errorf("setting up the embedded nats-server: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := open(ctx, channel.StoreConfig{Dir: dir, SyncInterval: never}, js.MemoryStorage)
	if err != nil {
		return nil, err
	}
	return memoryStore{s}, nil
}

func open(ctx context.Context, conf channel.StoreConfig, storage js.StorageType) (*stored, error) {
	srv, err := server.NewServer(options(conf))
	if err != nil {
		return nil, fmt.Errorf("setting up the embedded nats-server: %w", err)
	}
	log := zerolog.Ctx(ctx).With().Str("from", "nats-server").Logger()
	srv.SetLoggerV2(serverLog{log, make(chan error, 1)}, log.GetLevel() <= zerolog.TraceLevel, false, false)
	srv.Start()
	s := &stored{srv: srv}
	if err := s.connect(ctx, storage); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func options(conf channel.StoreConfig) *server.Options {
	return &server.Options{
		ServerName:             "flumekit",
		DontListen:             true,
		NoSigs:                 true,
		NoSystemAccount:        true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               conf.Dir,
		JetStreamMaxMemory:     1 << 50, // the channel keeps the bounds
		JetStreamMaxStore:      1 << 50,
		SyncAlways:             conf.SyncInterval == 0,
		SyncInterval:           conf.SyncInterval,
		MaxPayload:             mostInMemory + headerRoom,
		MaxPending:             4 * mostInMemory,
		WriteDeadline:          patience,
		PingInterval:           never, // both ends are this process
	}
}

func (s *stored) connect(ctx context.Context, storage js.StorageType) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !s.srv.ReadyForConnections(time.Second) {
		if !s.srv.Running() {
			return errors.New("starting the embedded nats-server: it ended at once")
		}
		if ctx.Err() != nil {
			return fmt.Errorf("starting the embedded nats-server: %w", ctx.Err())
		}
	}
	var err error
	for _, conn := range []**nats.Conn{&s.puts, &s.reads} {
		*conn, err = nats.Connect("", nats.InProcessServer(s.srv), nats.NoReconnect(), nats.PingInterval(never))
		if err != nil {
			return fmt.Errorf("connecting to the embedded nats-server: %w", err)
		}
	}
	if s.js, err = js.New(s.puts, js.WithDefaultTimeout(patience)); err != nil {
		return err
	}
	s.stream, err = s.js.CreateOrUpdateStream(ctx, js.StreamConfig{
		Name:        streamName,
		Description: "a Flumekit channel",
		Subjects:    []string{subject},
		Storage:     storage,
		AllowDirect: true,
		MaxMsgSize:  mostInMemory + headerRoom,
	})
	if err != nil {
		return fmt.Errorf("opening the stream: %w", err)
	}
	return nil
}

// MaxMessage implements channel.Store.
func (s *stored) MaxMessage() int { return mostInMemory }

// Append implements channel.Store.
func (s *stored) Append(ctx context.Context, data []byte, totals channel.Totals) (uint64, error) {
	ack, err := s.js.PublishMsg(ctx, &nats.Msg{
		Subject: subject,
		Header:  nats.Header{totalsHeader: {formatTotals(totals)}},
		Data:    data,
	})
	if err != nil {
		return 0, fmt.Errorf("appending to the stream: %w", err)
	}
	return ack.Sequence, nil
}

func formatTotals(t channel.Totals) string {
	text := strconv.AppendUint(make([]byte, 0, 40), t.Events, 10)
	return string(strconv.AppendUint(append(text, ' '), t.Bytes, 10))
}

func parseTotals(text string) (t channel.Totals, err error) {
	events, bytes, _ := strings.Cut(text, " ")
	if t.Events, err = strconv.ParseUint(events, 10, 64); err == nil {
		t.Bytes, err = strconv.ParseUint(bytes, 10, 64)
	}
	if err != nil {
		return t, fmt.Errorf("its header %s is %q; it should be two numbers", totalsHeader, text)
	}
	return t, nil
}

// Bounds implements channel.Store.
func (s *stored) Bounds(ctx context.Context) (first, last uint64, err error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for the stream's state: %w", err)
	}
	first, last = info.State.FirstSeq, info.State.LastSeq
	if info.State.Msgs == 0 {
		first = last + 1
	}
	return first, last, nil
}

// Missing implements channel.Store.
func (s *stored) Missing() []channel.Places { return nil }

// Since implements channel.Store.
func (s *stored) Since(ctx context.Context, t time.Time) (uint64, error) {
	return 0, errors.ErrUnsupported
}

// Trim implements channel.Store.
func (s *stored) Trim(ctx context.Context, upTo uint64) error {
	if err := s.stream.Purge(ctx, js.WithPurgeSequence(upTo+1)); err != nil {
		return fmt.Errorf("trimming the stream to %d: %w", upTo, err)
	}
	return nil
}

// memoryStore is a Store in memory, where one message can be removed without a
// trace that would have to be synced.
type memoryStore struct{ *stored }

// Remove implements channel.Remover.
func (s memoryStore) Remove(ctx context.Context, seq uint64) error {
	if err := s.stream.DeleteMsg(ctx, seq); err != nil {
		return fmt.Errorf("removing message %d from the stream: %w", seq, err)
	}
	return nil
}

// Close implements channel.Store.
func (s *stored) Close() error {
	for _, conn := range []*nats.Conn{s.puts, s.reads} {
		if conn != nil {
			conn.Close()
		}
	}
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
	return nil
}
