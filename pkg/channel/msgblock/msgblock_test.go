package msgblock

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
)

const (
	streamName = "channel"
	subject    = "batch"
	totals     = "Flumekit-Totals"
	secret     = "a key that is long enough to be one"
)

// mode is how a store is kept.
type mode struct {
	name   string
	cipher server.StoreCipher
}

var modes = []mode{{"plain", server.NoCipher}, {"chacha", server.ChaCha}, {"aes", server.AES}}

func (m mode) key() []byte {
	if m.cipher == server.NoCipher {
		return nil
	}
	return []byte(secret)
}

func (m mode) options() Options { return Options{Key: m.key(), Subject: subject} }

// jetStream is a real server on a store.
type jetStream struct {
	srv    *server.Server
	conn   *nats.Conn
	js     js.JetStream
	stream js.Stream
}

// serve opens a store as the channel does. If the server does not know the
// stream it is created.
func serve(t testing.TB, dir string, m mode, change ...func(*js.StreamConfig)) *jetStream {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		ServerName: "flumekit", DontListen: true, NoSigs: true, NoSystemAccount: true, NoLog: true,
		JetStream: true, DisableJetStreamBanner: true, StoreDir: dir,
		JetStreamMaxMemory: 1 << 50, JetStreamMaxStore: 1 << 50, SyncInterval: 10_000 * time.Hour,
		MaxPayload: 64 << 20, MaxPending: 256 << 20, JetStreamKey: string(m.key()), JetStreamCipher: m.cipher,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	s := &jetStream{srv: srv}
	t.Cleanup(s.close)
	if !srv.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server does not start")
	}
	if s.conn, err = nats.Connect("", nats.InProcessServer(srv)); err != nil {
		t.Fatal(err)
	}
	if s.js, err = js.New(s.conn); err != nil {
		t.Fatal(err)
	}
	conf := js.StreamConfig{Name: streamName, Subjects: []string{subject}, AllowDirect: true}
	for _, c := range change {
		c(&conf)
	}
	if s.stream, err = s.js.CreateOrUpdateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *jetStream) close() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}

func (s *jetStream) state(t testing.TB) js.StreamState {
	t.Helper()
	info, err := s.stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State
}

// put publishes n messages and adds them to what was published.
func (s *jetStream) put(t testing.TB, n int, random *rand.Rand, was map[uint64][]byte, size func(*rand.Rand) int) {
	t.Helper()
	for range n {
		data := make([]byte, size(random))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		events := len(was)
		ack, err := s.js.PublishMsg(context.Background(), &nats.Msg{Subject: subject, Header: nats.Header{totals: {fmt.Sprint(events, " ", 10*events)}}, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		was[ack.Sequence] = data
	}
}

// all reads all messages that the server has.
func (s *jetStream) all(t testing.TB) map[uint64][]byte {
	t.Helper()
	got := map[uint64][]byte{}
	var last uint64
	for next := uint64(1); ; {
		request, _ := json.Marshal(map[string]any{"seq": next, "batch": 1 << 20, "max_bytes": 4 << 20})
		inbox := s.conn.NewInbox()
		replies, err := s.conn.SubscribeSync(inbox)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.conn.PublishRequest("$JS.API.DIRECT.GET."+streamName, inbox, request); err != nil {
			t.Fatal(err)
		}
		more := false
		for {
			m, err := replies.NextMsg(30 * time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if m.Header.Get("Status") != "" {
				break
			}
			seq, _ := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
			if seq <= last {
				t.Fatalf("the server returns %d after %d", seq, last)
			}
			got[seq], last, next, more = m.Data, seq, seq+1, true
		}
		_ = replies.Unsubscribe()
		if !more {
			return got
		}
	}
}

// small makes blocks of 32 kB, of which a store has many, then.
func small(c *js.StreamConfig) { c.MaxBytes, c.Discard = 100_000, js.DiscardOld }

// sizes are mostly of messages small enough to be restored.
func sizes(random *rand.Rand) int {
	if random.IntN(12) == 0 {
		return longestSearch + random.IntN(8<<10)
	}
	return random.IntN(900)
}

func streamDir(store string) string {
	return filepath.Join(store, "jetstream", "$G", "streams", streamName)
}

// build makes a store of n messages in blocks of 32 kB, and returns what is in
// it and where. crashed: it is a copy taken while the server ran.
func build(t testing.TB, m mode, n int, crashed bool, random *rand.Rand) (store string, was map[uint64][]byte) {
	t.Helper()
	store, was = t.TempDir(), map[uint64][]byte{}
	s := serve(t, store, m, small)
	if _, err := s.js.UpdateStream(t.Context(), js.StreamConfig{Name: streamName, Subjects: []string{subject}, AllowDirect: true}); err != nil {
		t.Fatal(err)
	}
	s.put(t, n, random, was, sizes)
	if crashed {
		at := t.TempDir()
		copyTree(t, at, store)
		store = at
	}
	s.close()
	return store, was
}

func copyTree(t testing.TB, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func scan(t testing.TB, store string, opt Options) *Report {
	t.Helper()
	r, err := Scan(t.Context(), streamDir(store), opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mend(t testing.TB, r *Report) {
	t.Helper()
	if err := Mend(t.Context(), filepath.Join(t.TempDir(), "aside"), r); err != nil {
		t.Fatal(err)
	}
}

// check mends the store, lets a server open it, and holds what it returns
// against what was put into it: all but what r reports as missing. What it
// returns is the lost sequences.
func check(t testing.TB, store string, m mode, r *Report, was map[uint64][]byte) {
	t.Helper()
	mend(t, r)
	opt := m.options()
	opt.Holes = r.stream.opt.Holes
	again := scan(t, store, opt)
	if !again.Whole() {
		t.Fatalf("after Mend there is: %v %v", again.Damage, again.Torn)
	}
	s := serve(t, store, m)
	defer s.close()
	got := s.all(t)
	for seq, data := range was {
		switch there, ok := got[seq]; {
		case ok && r.Missing.Contains(seq):
			t.Errorf("message %d is reported missing and is there", seq)
		case !ok && !r.Missing.Contains(seq):
			t.Errorf("message %d is gone and not reported", seq)
		case ok && !bytes.Equal(there, data):
			t.Errorf("message %d is not what was put", seq)
		}
		delete(got, seq)
	}
	for seq := range got {
		t.Errorf("message %d was never put, or was removed", seq)
	}
	state := s.state(t)
	if state.LastSeq < r.Last || state.Msgs != r.Messages {
		t.Errorf("the server has %d messages, the last is %d; want %d, %d", state.Msgs, state.LastSeq, r.Messages, r.Last)
	}
	if t.Failed() {
		for _, d := range r.Damage {
			t.Log(d)
		}
		t.Log("torn: ", r.Torn, " missing: ", r.Missing)
		t.FailNow()
	}
	// The next message goes on where the stream was.
	before := r.Last
	s.put(t, 1, rand.New(rand.NewPCG(1, 1)), map[uint64][]byte{}, sizes)
	if got := s.state(t).LastSeq; got != before+1 {
		t.Errorf("the next message is %d; want %d", got, before+1)
	}
}

// rounds is how many times the flips are tried; FLUMEKIT_FLIPS asks for more.
func rounds(t testing.TB) int {
	if n, err := strconv.Atoi(os.Getenv("FLUMEKIT_FLIPS")); err == nil {
		return n
	}
	return 1
}

func TestFlippedBits(t *testing.T) {
	for _, m := range modes {
		for _, crashed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, crashed %v", m.name, crashed), func(t *testing.T) {
				t.Parallel() // most of it is waiting for the disk
				seed := uint64(len(m.name))
				if crashed {
					seed += 100
				}
				random := rand.New(rand.NewPCG(7, seed))
				origin, was := build(t, m, 2200, crashed, random)
				if r := scan(t, origin, m.options()); !r.Whole() || r.Messages != uint64(len(was)) || len(r.Missing) > 0 {
					t.Fatalf("before anything: %v %v, %d messages, missing %v", r.Damage, r.Torn, r.Messages, r.Missing)
				}
				flips, lost := 0, uint64(0)
				for range rounds(t) {
					store := t.TempDir()
					copyTree(t, store, origin)
					blocks, err := blockFiles(filepath.Join(streamDir(store), blocksName))
					if err != nil {
						t.Fatal(err)
					}
					at := map[string]int64{}
					for _, index := range blocks {
						name := filepath.Join(streamDir(store), blocksName, fmt.Sprintf("%d.blk", index))
						at[name] = flip(t, name, random)
					}
					flips += len(at)
					r := scan(t, store, m.options())
					found := r.Damage
					if r.Torn != nil {
						found = append(found, *r.Torn)
					}
					for _, d := range found {
						if pos, ok := at[d.File]; !ok || pos < d.Offset || pos >= d.Offset+d.Length {
							t.Errorf("reported and not done: %v", d)
						}
						delete(at, d.File)
						if d.Lost.Len() > 1 {
							t.Errorf("one flip lost more than one message: %v", d)
						}
						lost += d.Lost.Len()
					}
					for name, pos := range at {
						t.Errorf("the flip in %s at %d is not found", name, pos)
					}
					if r.Torn == nil {
						check(t, store, m, r, was)
					} else { // the last message, which nobody says was acknowledged
						short := map[uint64][]byte{}
						for seq, data := range was {
							if seq <= r.Last {
								short[seq] = data
							}
						}
						check(t, store, m, r, short)
					}
				}
				t.Logf("%d flips, %d messages lost", flips, lost)
			})
		}
	}
}

// flip flips one bit of a file, anywhere, and returns the offset.
func flip(t testing.TB, name string, random *rand.Rand) int64 {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := random.IntN(len(content))
	content[at] ^= 1 << random.IntN(8)
	overwrite(t, name, content)
	return int64(at)
}

func overwrite(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
