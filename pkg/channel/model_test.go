package channel_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/event"
)

// model is a channel as a slice of batches, in order. It puts and takes from a
// real one, and says what should come of it.
type model struct {
	t    *testing.T
	dir  string
	real *channel.Queue
	put  channel.Putter

	takers  [2]channel.Taker
	batches []*modelled
	events  int
	next    int // body
}

type modelled struct {
	enc   []byte
	n     int
	take  channel.Take // nil: no taker has it
	taker int
}

var modelLimits = channel.Limits{
	Events:      40,
	Transaction: 8,
	Texts:       channel.Texts{Full: "full", TooMany: "too many"},
}

func (m *model) open() {
	conf := channel.Config{Limits: modelLimits, Dir: lock(m.t, m.dir), TrimBytes: 10_000}
	// Not synced: what a killed process leaves is what the kernel has.
	conf.Store.SyncInterval = time.Minute
	var err error
	if m.real, err = channel.OpenQueue(m.t.Context(), embedded.Open, conf); err != nil {
		m.t.Fatal(err)
	}
	m.put = m.real.Putter()
	for i := range m.takers {
		m.takers[i] = m.real.Taker()
	}
	for _, b := range m.batches {
		b.take = nil
	}
}

func (m *model) close() {
	if err := m.real.Close(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) Put(t *rapid.T) {
	b := new(event.Batch)
	for range rapid.IntRange(1, 9).Draw(t, "events") {
		m.next++
		b.Append(event.Event{Body: bytes.Repeat([]byte(fmt.Sprint(m.next, " ")), rapid.IntRange(1, 400).Draw(t, "size"))})
	}
	enc, n := bytes.Clone(b.Encoded()), b.Len()
	err := put(m.put, b, false)
	switch {
	case n > modelLimits.Transaction:
		if !errors.Is(err, channel.ErrTooLarge) {
			t.Fatalf("put of %d events: got %v; want %v", n, err, channel.ErrTooLarge)
		}
	case m.events+n > modelLimits.Events:
		if !errors.Is(err, channel.ErrFull) {
			t.Fatalf("put of %d events beside %d: got %v; want %v", n, m.events, err, channel.ErrFull)
		}
	case err != nil:
		t.Fatalf("put of %d events beside %d: %v", n, m.events, err)
	default:
		m.batches = append(m.batches, &modelled{enc: enc, n: n})
		m.events += n
	}
}

func (m *model) Take(t *rapid.T) {
	i := slices.IndexFunc(m.batches, func(b *modelled) bool { return b.take == nil })
	if i < 0 {
		t.Skip("nothing to take")
	}
	b := m.batches[i]
	b.taker = rapid.IntRange(0, 1).Draw(t, "taker")
	b.take = take(m.t, m.takers[b.taker])
	if !bytes.Equal(b.take.Batch().Encoded(), b.enc) {
		t.Fatalf("took %.40q; want %.40q", b.take.Batch().Encoded(), b.enc)
	}
}

// draw returns the place of a batch that a taker has.
func (m *model) draw(t *rapid.T) int {
	var held []int
	for i, b := range m.batches {
		if b.take != nil {
			held = append(held, i)
		}
	}
	if len(held) == 0 {
		t.Skip("nothing is taken")
	}
	return rapid.SampledFrom(held).Draw(t, "batch")
}

func (m *model) Commit(t *rapid.T) {
	i := m.draw(t)
	if err := m.batches[i].take.Commit(); err != nil {
		t.Fatal(err)
	}
	m.events -= m.batches[i].n
	m.batches = slices.Delete(m.batches, i, i+1)
}

func (m *model) Return(t *rapid.T) {
	b := m.batches[m.draw(t)]
	b.take.Return()
	b.take = nil
}

func (m *model) Disconnect(t *rapid.T) {
	which := rapid.IntRange(0, 1).Draw(t, "taker")
	m.takers[which].Close()
	m.takers[which] = m.real.Taker()
	for _, b := range m.batches {
		if b.take != nil && b.taker == which {
			b.take = nil
		}
	}
}

func (m *model) Restart(*rapid.T) {
	m.close()
	m.open()
}

// Crash goes on with what a process that is killed at this instant leaves on
// disk.
func (m *model) Crash(*rapid.T) {
	left := m.t.TempDir()
	for {
		err := copyChannel(left, m.dir)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrNotExist) { // a file was trimmed away
			m.t.Fatal(err)
		}
		if err := os.RemoveAll(left); err != nil {
			m.t.Fatal(err)
		}
	}
	m.close()
	m.dir = left
	m.open()
}

// copyChannel copies the store before the ledger: the janitor may trim the store
// meanwhile, which it does only when the ledger is ready for it.
func copyChannel(to, from string) error {
	if err := os.CopyFS(storeDir(to), os.DirFS(storeDir(from))); err != nil {
		return err
	}
	ledger, err := os.ReadFile(filepath.Join(from, "ledger"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "ledger"), ledger, 0o600)
}

// Check compares what is held.
func (m *model) Check(t *rapid.T) {
	if got := m.real.Len(); got != m.events {
		t.Fatalf("holds %d events; want %d", got, m.events)
	}
	bytes := 0
	for _, b := range m.batches {
		bytes += len(b.enc) - event.HeadSize
	}
	if got := m.real.Bytes(); got != int64(bytes) {
		t.Fatalf("holds %d bytes; want %d", got, bytes)
	}
}

func TestChannelIsASlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{t: t, dir: t.TempDir()}
		m.open()
		defer func() { m.close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.Put, "put 2": m.Put, "put 3": m.Put, "take": m.Take, "take 2": m.Take, "take 3": m.Take,
			"commit": m.Commit, "commit 2": m.Commit, "commit 3": m.Commit,
			"return": m.Return, "disconnect": m.Disconnect, "restart": m.Restart, "crash": m.Crash, "": m.Check,
		})
	})
}
