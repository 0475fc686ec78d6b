package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	streamName = "channel"
	subject    = "batch"
	// headerRoom is for the headers of a record.
	headerRoom = 1 << 10
	// patience is how long the server may take for one thing. It writes and
	// syncs a few megabytes for it: a disk that needs longer is not slow, it
	// does not answer.
	patience = time.Minute
	// afterword is how long the answer to an append is waited for once the
	// server has logged an error: it leaves those unanswered that it could
	// not write.
	afterword = 2 * time.Second
	never     = 10_000 * time.Hour
)

// writer is an embedded nats-server with the stream of one segment. It only
// writes: the messages are read from the files.
type writer struct {
	srv     *server.Server
	conn    *nats.Conn
	js      js.JetStream
	stream  js.Stream
	trouble chan error // the first errors that the server logged

	synced bool   // each append is synced
	blocks string // the folder of the block files,
	folder os.FileInfo
}

// startWriter starts a server on dir and opens its stream, which is made if it
// is not there: then its first message gets the sequence first.
func startWriter(ctx context.Context, dir string, first uint64, key []byte, every time.Duration) (*writer, error) {
	w := &writer{
		trouble: make(chan error, 1),
		synced:  every == 0,
		blocks:  filepath.Join(streamDir(dir), "msgs"),
	}
	log := zerolog.Ctx(ctx).With().Str("from", "nats-server").Logger()
	var err error
	w.srv, err = server.NewServer(&server.Options{
		ServerName:             "flumekit",
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		NoSystemAccount:        true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               dir,
		JetStreamKey:           string(key),
		JetStreamCipher:        server.AES,
		JetStreamMaxMemory:     1 << 50, // the channel keeps the bounds
		JetStreamMaxStore:      1 << 50,
		SyncAlways:             every == 0,
		SyncInterval:           every,
		MaxPayload:             partSize + headerRoom,
		WriteDeadline:          patience,
		PingInterval:           never, // both ends are this process
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the embedded nats-server: %w", err)
	}
	w.srv.SetLoggerV2(serverLog{log, w.trouble}, log.GetLevel() <= zerolog.TraceLevel, false, false)
	w.srv.Start()
	if err := w.open(ctx, first); err != nil {
		return nil, errors.Join(w.cause(err), w.stop())
	}
	select {
	case <-w.trouble: // it has got over it
	default:
	}
	return w, nil
}

func (w *writer) open(ctx context.Context, first uint64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !w.srv.ReadyForConnections(time.Second) || !w.srv.JetStreamEnabled() {
		switch {
		case !w.srv.Running():
			return errors.New("starting the embedded nats-server: it ended at once")
		case w.srv.ReadyForConnections(time.Second):
			return errors.New("starting the embedded nats-server: it has no JetStream")
		case ctx.Err() != nil:
			return fmt.Errorf("starting the embedded nats-server: %w", ctx.Err())
		}
	}
	var err error
	w.conn, err = nats.Connect("", nats.InProcessServer(w.srv), nats.Timeout(patience), nats.NoReconnect(), nats.PingInterval(never))
	if err != nil {
		return fmt.Errorf("connecting to the embedded nats-server: %w", err)
	}
	if w.js, err = js.New(w.conn, js.WithDefaultTimeout(patience)); err != nil {
		return err
	}
	w.stream, err = w.js.CreateOrUpdateStream(ctx, js.StreamConfig{
		Name:        streamName,
		Description: "a segment of a Flumekit channel",
		Subjects:    []string{subject},
		Storage:     js.FileStorage,
		FirstSeq:    first,
		MaxMsgSize:  partSize + headerRoom,
	})
	if err != nil {
		return fmt.Errorf("opening the stream: %w", err)
	}
	return nil
}

// append stores a record and returns its sequence once it is safe.
func (w *writer) append(ctx context.Context, header nats.Header, data []byte) (uint64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the disk has not answered for %v", patience))
	defer cancel()
	ack, err := w.js.PublishMsgAsync(&nats.Msg{Subject: subject, Header: header, Data: data})
	if err != nil {
		return 0, w.cause(err)
	}
	select {
	case ok := <-ack.Ok():
		return ok.Sequence, w.syncFolder()
	case err := <-ack.Err():
		return 0, w.cause(err)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case trouble := <-w.trouble:
		select {
		case ok := <-ack.Ok():
			return ok.Sequence, w.syncFolder()
		case <-ack.Err():
		case <-time.After(afterword):
		case <-ctx.Done():
		}
		return 0, trouble
	}
}

// cause returns why the server answers err: what it has logged says more.
func (w *writer) cause(err error) error {
	select {
	case trouble := <-w.trouble:
		return fmt.Errorf("%w (%w)", trouble, err)
	default:
		return err
	}
}

// recently is how old a change of a folder must be so that the next one is sure
// to leave it another time.
const recently = 20 * time.Millisecond

// syncFolder makes new block files safe: nats-server syncs what is in them, but
// not the folder that their names are in.
func (w *writer) syncFolder() error {
	if !w.synced {
		return nil
	}
	now, err := os.Stat(w.blocks)
	if err != nil {
		return err
	}
	if w.folder != nil && os.SameFile(now, w.folder) && now.ModTime().Equal(w.folder.ModTime()) && time.Since(now.ModTime()) > recently {
		return nil
	}
	w.folder = now
	return syncDir(w.blocks)
}

// trim forgets the records up to and including upTo.
func (w *writer) trim(ctx context.Context, upTo uint64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := w.stream.Purge(ctx, js.WithPurgeSequence(upTo+1)); err != nil {
		return w.cause(err)
	}
	return nil
}

// last returns the last sequence that was used, and how many bytes are held.
func (w *writer) last(ctx context.Context) (seq, bytes uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	info, err := w.stream.Info(ctx)
	if err != nil {
		return 0, 0, w.cause(err)
	}
	return info.State.LastSeq, info.State.Bytes, nil
}

// stop ends the server. It waits for patience at most: then the disk does not
// answer, and nothing can be done about the server's goroutines.
func (w *writer) stop() error {
	if w.conn != nil {
		w.conn.Close()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.srv.Shutdown()
		w.srv.WaitForShutdown()
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("stopping the embedded nats-server: the disk has not answered for %v", patience)
	}
}
