package channel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/event"
)

// model is a real channel, and what should be in it: a slice of batches, in order.
// What is put, and where that lies, is for queueModel and spillModel.
type model[C modelable] struct {
	t    *testing.T
	dir  string
	open func(dir string) C
	real C
	put  channel.Putter

	takers  [2]channel.Taker
	batches []*modelled
	next    int // body
}

type modelable interface {
	channel.Channel
	channel.Purger
	Still(func())
}

type modelled struct {
	enc      []byte
	n        int
	inMemory bool         // it ends with the process
	take     channel.Take // nil: no taker has it
	taker    int
}

func (m *model[C]) start() {
	m.real = m.open(m.dir)
	m.put = m.real.Putter()
	for i := range m.takers {
		m.takers[i] = m.real.Taker()
	}
	m.batches = slices.DeleteFunc(m.batches, func(b *modelled) bool { return b.inMemory })
	for _, b := range m.batches {
		b.take = nil
	}
}

func (m *model[C]) close() {
	shut(m.t, m.real)
}

func (m *model[C]) batch(t *rapid.T, most int) *event.Batch {
	b := new(event.Batch)
	for range rapid.IntRange(1, most).Draw(t, "events") {
		m.next++
		b.Append(event.Event{Body: bytes.Repeat([]byte(fmt.Sprint(m.next, " ")), rapid.IntRange(1, 400).Draw(t, "size"))})
	}
	return b
}

func (m *model[C]) Take(t *rapid.T) {
	i := slices.IndexFunc(m.batches, func(b *modelled) bool { return b.take == nil })
	if i < 0 {
		t.Skip("nothing to take")
	}
	b := m.batches[i]
	b.taker = rapid.IntRange(0, 1).Draw(t, "taker")
	b.take = channeltest.Next(m.t, m.takers[b.taker])
	if !bytes.Equal(b.take.Batch().Encoded(), b.enc) {
		t.Fatalf("took %.40q; want %.40q", b.take.Batch().Encoded(), b.enc)
	}
}

// draw returns the place of a batch that a taker has.
func (m *model[C]) draw(t *rapid.T) int {
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

func (m *model[C]) Commit(t *rapid.T) {
	i := m.draw(t)
	if err := m.batches[i].take.Commit(); err != nil {
		t.Fatal(err)
	}
	m.batches = slices.Delete(m.batches, i, i+1)
}

func (m *model[C]) Return(t *rapid.T) {
	b := m.batches[m.draw(t)]
	b.take.Return()
	b.take = nil
}

func (m *model[C]) Disconnect(t *rapid.T) {
	which := rapid.IntRange(0, 1).Draw(t, "taker")
	m.takers[which].Close()
	m.takers[which] = m.real.Taker()
	for _, b := range m.batches {
		if b.take != nil && b.taker == which {
			b.take = nil
		}
	}
}

// Purge takes all that is in nobody's hands.
func (m *model[C]) Purge(t *rapid.T) {
	purged, err := m.real.Purge(m.t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	m.batches = slices.DeleteFunc(m.batches, func(b *modelled) bool {
		if b.take == nil {
			want += b.n
		}
		return b.take == nil
	})
	if int(purged.Events) != want {
		t.Fatalf("purged %d events; want %d", purged.Events, want)
	}
}

func (m *model[C]) Restart(*rapid.T) {
	m.close()
	m.start()
}

// Crash goes on with what a process that is killed at this instant leaves on
// disk.
func (m *model[C]) Crash(*rapid.T) {
	left := m.t.TempDir()
	m.real.Still(func() {
		if err := copyChannel(left, m.dir); err != nil {
			m.t.Fatal(err)
		}
	})
	m.close()
	m.dir = left
	m.start()
}

// copyChannel copies the files of a channel that is kept still. Only nats-server goes
// on to remove what was trimmed: when that goes while it is copied, all is copied again.
func copyChannel(to, from string) error {
	for tries := 1; ; tries++ {
		err := os.CopyFS(storeDir(to), os.DirFS(storeDir(from)))
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || tries == 10 {
			return err
		}
		if err := os.RemoveAll(storeDir(to)); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(to, "damaged"), os.DirFS(filepath.Join(from, "damaged"))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ledger, err := os.ReadFile(filepath.Join(from, "ledger"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "ledger"), ledger, 0o600)
}

// queueModel is a Queue on disk, whose store may fail.
type queueModel struct {
	model[*channel.Queue]
	faults  *faulty
	retain  bool
	ever    [][]byte // all that was put
	mayFail bool     // the store, once
}

var modelLimits = channel.Limits{
	Events:      40,
	Transaction: 8,
	Texts:       channel.Texts{Full: "full", TooMany: "too many"},
}

func (m *queueModel) openQueue(dir string) *channel.Queue {
	conf := channel.Config{Limits: modelLimits, Dir: lock(m.t, dir), TrimBytes: 10_000}
	// Not synced: what a killed process leaves is what the kernel has.
	conf.Store.SyncInterval = time.Minute
	if m.retain {
		conf.Retain = time.Hour
	}
	c, err := channel.OpenQueue(m.t.Context(), m.faults.Open, conf)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *queueModel) events() (n int) {
	for _, b := range m.batches {
		n += b.n
	}
	return n
}

func (m *queueModel) Put(t *rapid.T) {
	b := m.batch(t, 9)
	enc, n := bytes.Clone(b.Encoded()), b.Len()
	err := put(m.put, b, false)
	switch {
	case n > modelLimits.Transaction:
		if !errors.Is(err, channel.ErrTooLarge) {
			t.Fatalf("put of %d events: got %v; want %v", n, err, channel.ErrTooLarge)
		}
	case m.events()+n > modelLimits.Events:
		if !errors.Is(err, channel.ErrFull) {
			t.Fatalf("put of %d events beside %d: got %v; want %v", n, m.events(), err, channel.ErrFull)
		}
	case err != nil:
		t.Fatalf("put of %d events beside %d: %v", n, m.events(), err)
	default:
		m.hold(enc, n)
	}
}

func (m *queueModel) hold(enc []byte, n int) {
	m.batches = append(m.batches, &modelled{enc: enc, n: n})
	m.ever = append(m.ever, enc)
}

// PutPatiently puts a batch that has room and waits until it is committed, however
// the store fails.
func (m *queueModel) PutPatiently(t *rapid.T) {
	b := m.batch(t, 3)
	enc, n := bytes.Clone(b.Encoded()), b.Len()
	if err := put(m.put, b, true); err != nil {
		t.Fatalf("patient put: %v", err)
	}
	m.hold(enc, n)
}

// fails prepares for a failure of the store. Each costs pauses: there is one at most.
func (m *queueModel) fails(t *rapid.T) {
	const room = 3 * 3
	if !m.mayFail || m.events()+room > modelLimits.Events {
		t.Skip("the store does not fail now")
	}
	m.mayFail = false
}

// AppendFails has the store fail before or after it has a message, and then perhaps
// when it is opened again.
func (m *queueModel) AppendFails(t *rapid.T) {
	m.fails(t)
	append, open := times(rapid.IntRange(1, 2).Draw(t, "appends"), errDisk), times(rapid.IntRange(0, 1).Draw(t, "opens"), errDisk)
	stored := rapid.Bool().Draw(t, "stored")
	m.faults.set(func() {
		if m.faults.open = open; stored {
			m.faults.after = append
		} else {
			m.faults.before = append
		}
	})
	if !stored && rapid.Bool().Draw(t, "impatient") {
		if err := put(m.put, m.batch(t, 3), false); !errors.Is(err, channel.ErrFull) {
			t.Fatalf("impatient put: got %v; want %v", err, channel.ErrFull)
		}
	}
	for range 3 { // two may be found in the store after doubt; the last is appended, which ends the trouble
		m.PutPatiently(t)
	}
	m.faults.set(func() { m.faults.before, m.faults.after, m.faults.open = nil, nil, nil })
}

// ReadFails has the store fail while a backlog is read.
func (m *queueModel) ReadFails(t *rapid.T) {
	m.fails(t)
	m.Restart(t)
	read := times(rapid.IntRange(1, 2).Draw(t, "reads"), errDisk)
	m.faults.set(func() { m.faults.read = read })
	if len(m.batches) > 0 {
		m.Take(t)
	}
	m.faults.set(func() { m.faults.read = nil })
	m.PutPatiently(t) // when the store is open again
}

// Browse looks at what is held, and at all that ever was if that is retained.
func (m *queueModel) Browse(t *rapid.T) {
	i := 0
	for s, err := range m.real.Browse(m.t.Context(), channel.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if i == len(m.batches) {
			t.Fatalf("shows more than the %d batches that are held", i)
		}
		b := m.batches[i]
		if want := map[bool]channel.State{true: channel.Waiting, false: channel.Held}[b.take == nil]; s.State != want || !bytes.Equal(s.Batch.Encoded(), b.enc) {
			t.Fatalf("shows as batch %d, %s: %.40q; want %s: %.40q", i, s.State, s.Batch.Encoded(), want, b.enc)
		}
		i++
	}
	if i != len(m.batches) {
		t.Fatalf("shows %d batches; want %d", i, len(m.batches))
	}
	if !m.retain {
		return
	}
	var ever [][]byte
	for s, err := range m.real.Browse(m.t.Context(), channel.Span{Since: time.Now().Add(-time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		ever = append(ever, bytes.Clone(s.Batch.Encoded()))
	}
	if !slices.EqualFunc(ever, m.ever, bytes.Equal) {
		t.Fatalf("retains %d batches; want the %d that were put", len(ever), len(m.ever))
	}
}

// Check compares what is held.
func (m *queueModel) Check(t *rapid.T) {
	if got := m.real.Len(); got != m.events() {
		t.Fatalf("holds %d events; want %d", got, m.events())
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
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &queueModel{faults: new(faulty), retain: rapid.Bool().Draw(rt, "retain"), mayFail: rapid.IntRange(0, 3).Draw(rt, "fails") == 0}
		m.t, m.dir, m.open = t, t.TempDir(), m.openQueue
		m.start()
		defer m.close()
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.Put, "put 2": m.Put, "put 3": m.Put, "take": m.Take, "take 2": m.Take, "take 3": m.Take,
			"commit": m.Commit, "commit 2": m.Commit, "commit 3": m.Commit,
			"return": m.Return, "disconnect": m.Disconnect, "restart": m.Restart, "crash": m.Crash,
			"append fails": m.AppendFails, "read fails": m.ReadFails, "purge": m.Purge, "browse": m.Browse, "": m.Check,
		})
	})
}
