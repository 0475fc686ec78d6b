package channel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// faulty opens stores that fail as a test says.
type faulty struct {
	mu     sync.Mutex
	opens  int
	open   func() error     // before a store is opened
	before func() error     // before an append
	after  func() error     // after an append, which has worked
	read   func() error     // before messages are read
	gone   []channel.Places // lost to damage
}

func (f *faulty) fault(which *func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *which == nil {
		return nil
	}
	return (*which)()
}

func (f *faulty) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *faulty) Open(ctx context.Context, conf channel.StoreConfig) (channel.Store, error) {
	f.mu.Lock()
	f.opens++
	f.mu.Unlock()
	if err := f.fault(&f.open); err != nil {
		return nil, err
	}
	store, err := embedded.Open(ctx, conf)
	return &faultyStore{store, f}, err
}

type faultyStore struct {
	channel.Store
	f *faulty
}

func (s *faultyStore) Append(ctx context.Context, data []byte, totals channel.Totals) (uint64, error) {
	if err := s.f.fault(&s.f.before); err != nil {
		return 0, err
	}
	seq, err := s.Store.Append(ctx, data, totals)
	if err == nil {
		err = s.f.fault(&s.f.after)
	}
	return seq, err
}

func (s *faultyStore) Read(ctx context.Context, from uint64, most int) ([]channel.Message, error) {
	if err := s.f.fault(&s.f.read); err != nil {
		return nil, err
	}
	for {
		read, err := s.Store.Read(ctx, from, most)
		if err != nil || len(read) == 0 {
			return nil, err
		}
		from = read[len(read)-1].Seq + 1
		if read = slices.DeleteFunc(read, s.lost); len(read) > 0 {
			return read, nil
		}
	}
}

func (s *faultyStore) lost(m channel.Message) bool {
	return slices.ContainsFunc(s.f.gone, func(p channel.Places) bool { return p.First <= m.Seq && m.Seq <= p.Last })
}

// Bounds ends the store before what is lost at its end.
func (s *faultyStore) Bounds(ctx context.Context) (first, last uint64, err error) {
	first, last, err = s.Store.Bounds(ctx)
	for _, p := range s.f.gone {
		if p.Last == last {
			last = p.First - 1
		}
	}
	return first, last, err
}

func (s *faultyStore) Missing() []channel.Places {
	return slices.DeleteFunc(slices.Clone(s.f.gone), func(p channel.Places) bool {
		_, last, err := s.Bounds(context.Background())
		return err != nil || p.First > last
	})
}

var errDisk = errors.New("no space left on device")

// times returns a fault that occurs so often, and then not again.
func times(n int, err error) func() error {
	return func() error {
		if n == 0 {
			return nil
		}
		n--
		return err
	}
}

func openFaulty(t *testing.T, f *faulty, dir string) *channel.Queue {
	t.Helper()
	c, err := channel.OpenQueue(t.Context(), f.Open, channel.Config{
		Limits: limits, Dir: lock(t, dir), Store: channel.StoreConfig{Aside: dir + "/damaged"}, TrimBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestAppendFails has the store refuse appends for a while: patient puts are
// committed in the end, once and in order, impatient ones are told why not, and
// takers go on.
func TestAppendFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults *faulty
	}{
		{"before it is stored", &faulty{before: times(3, errDisk)}},
		{"after it is stored", &faulty{after: times(1, errDisk)}},
		{"and it cannot be opened", &faulty{before: times(1, errDisk)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := test.faults
			c := openFaulty(t, f, t.TempDir())
			if strings.Contains(test.name, "opened") {
				f.set(func() { f.open = times(3, errDisk) })
			}
			p := c.Putter()
			var done []<-chan error
			for i := range 5 {
				done = append(done, channeltest.Begin(p, channeltest.Batch(fmt.Sprint(i)), true))
			}
			for i, d := range done {
				if err := <-d; err != nil {
					t.Errorf("patient put %d: %v", i, err)
				}
			}
			taker := c.Taker()
			taken := ""
			for c.Len() > 0 {
				got := channeltest.Next(t, taker)
				taken += channeltest.Bodies(got.Batch())
				channeltest.Commit(t, got)
			}
			if strings.ReplaceAll(taken, " ", "") != "01234" {
				t.Errorf("took %q; want 0 1 2 3 4", taken)
			}
		})
	}
}

func TestAppendFailsForTheImpatient(t *testing.T) {
	f := &faulty{}
	c := openFaulty(t, f, t.TempDir())
	p := c.Putter()
	if err := put(p, channeltest.Batch("a"), false); err != nil {
		t.Fatal(err)
	}
	f.set(func() { f.before = func() error { return errDisk } })
	for range 2 {
		err := put(p, channeltest.Batch("b"), false)
		if !errors.Is(err, channel.ErrFull) || !strings.Contains(err.Error(), errDisk.Error()) {
			t.Errorf("got %v; want that there is %v", err, errDisk)
		}
	}
	channeltest.Commit(t, channeltest.Take(t, c.Taker(), "a"))
	patient := channeltest.Begin(p, channeltest.Batch("c"), true)
	f.set(func() { f.before = nil })
	if err := <-patient; err != nil {
		t.Error(err)
	}
	if err := put(p, channeltest.Batch("d"), false); err != nil {
		t.Error(err)
	}
	taker := c.Taker()
	channeltest.Commit(t, channeltest.Take(t, taker, "c"))
	channeltest.Commit(t, channeltest.Take(t, taker, "d"))
}

// TestReadFails has the backlog unreadable for a while.
func TestReadFails(t *testing.T) {
	dir := t.TempDir()
	f := &faulty{}
	c := openFaulty(t, f, dir)
	for i := range 5 {
		if err := put(c.Putter(), channeltest.Batch(fmt.Sprint(i)), true); err != nil {
			t.Fatal(err)
		}
	}
	held := channeltest.Next(t, c.Taker()) // has to be fetched alone the next time
	shut(t, c)
	if held.Commit() == nil {
		t.Error("a take of a closed channel was committed")
	}
	c = openFaulty(t, f, dir)
	f.set(func() { f.read = times(3, errDisk) })
	taker := c.Taker()
	for i := range 5 {
		channeltest.Commit(t, channeltest.Take(t, taker, fmt.Sprint(i)))
	}
	if f.opens < 3 {
		t.Errorf("the store was opened %d times; want it opened again", f.opens)
	}
}

// TestDamage has messages missing: what they held is told, and all else is
// delivered.
func TestDamage(t *testing.T) {
	for _, test := range []struct {
		name  string
		gone  []channel.Places
		taken int // committed, of 9 messages of 2 events
		open  int // and taken, but not committed
		want  string
		lost  uint64
	}{
		{"none", nil, 3, 1, "345678", 0},
		{"first", []channel.Places{{First: 1, Last: 2}}, 0, 0, "2345678", 4},
		{"middle", []channel.Places{{First: 4, Last: 5}}, 1, 0, "125678", 4},
		{"two", []channel.Places{{First: 4, Last: 5}, {First: 7, Last: 7}}, 1, 0, "12578", 6},
		{"taken before", []channel.Places{{First: 1, Last: 2}}, 3, 0, "345678", 0},
		{"partly taken", []channel.Places{{First: 2, Last: 4}}, 3, 0, "45678", 2},
		{"in hand", []channel.Places{{First: 4, Last: 4}}, 3, 2, "45678", 2},
		{"in hand and after", []channel.Places{{First: 4, Last: 6}}, 3, 2, "678", 6},
		{"last", []channel.Places{{First: 9, Last: 9}}, 3, 2, "34567", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			f := &faulty{}
			c := openFaulty(t, f, dir)
			for i := range 9 {
				if err := put(c.Putter(), channeltest.Batch(fmt.Sprint(i), "x"), true); err != nil {
					t.Fatal(err)
				}
			}
			taker := c.Taker()
			for range test.taken {
				channeltest.Commit(t, channeltest.Next(t, taker))
			}
			for range test.open {
				channeltest.Next(t, taker)
			}
			shut(t, c)

			f.gone = test.gone
			c = openFaulty(t, f, dir)
			if got, want := c.Len(), 2*len(test.want); got != want {
				t.Errorf("holds %d events; want %d", got, want)
			}
			taker = c.Taker()
			for _, body := range test.want {
				channeltest.Commit(t, channeltest.Take(t, taker, string(body)+" x"))
			}
			if got := c.Len(); got != 0 {
				t.Errorf("%d events are left", got)
			}
			c.Close()

			wantLost(t, dir, test.lost)
		})
	}
}

// TestDamageBesideMemory has a message missing that lies between those that are read from
// the store and those that are still in memory.
func TestDamageBesideMemory(t *testing.T) {
	dir := t.TempDir()
	f := &faulty{}
	c := openFaulty(t, f, dir)
	big := strings.Repeat("x", 3<<20) // three of them are more than is kept in memory
	for _, body := range []string{"a", "b" + big, "c" + big, "d" + big} {
		channeltest.Put(t, c.Putter(), body)
	}
	f.set(func() { f.gone = []channel.Places{{First: 2, Last: 2}} })
	taker := c.Taker()
	for _, want := range "acd" {
		take := channeltest.Next(t, taker)
		if got := channeltest.Bodies(take.Batch())[0]; got != byte(want) {
			t.Fatalf("took %c; want %c", got, want)
		}
		channeltest.Commit(t, take)
	}
	if got := c.Len(); got != 0 {
		t.Errorf("%d events are left", got)
	}
	shut(t, c)
	wantLost(t, dir, 1)
}

// TestTrimCutShort has the newest of the messages missing that were all taken for good,
// as where a process is killed while nats-server removes them: nothing is damaged.
func TestTrimCutShort(t *testing.T) {
	dir := t.TempDir()
	f := &faulty{}
	open := func() *channel.Queue {
		c, err := channel.OpenQueue(t.Context(), f.Open, channel.Config{Limits: limits, Dir: lock(t, dir), TrimBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open()
	taker := c.Taker()
	for _, body := range []string{"a", "b", "c"} {
		channeltest.Put(t, c.Putter(), body)
		channeltest.Commit(t, channeltest.Take(t, taker, body))
	}
	shut(t, c)
	f.gone = []channel.Places{{First: 3, Last: 3}}
	for _, body := range []string{"d", "e"} {
		c = open()
		if got := c.Len(); got != 0 {
			t.Errorf("holds %d events; want none", got)
		}
		channeltest.Put(t, c.Putter(), body)
		channeltest.Commit(t, channeltest.Take(t, c.Taker(), body))
		shut(t, c)
	}
	wantLost(t, dir, 0)
}

// toldLost returns how many events the channel in the directory path tells to have
// lost.
func toldLost(t *testing.T, path string) (events uint64) {
	t.Helper()
	dir := lock(t, path)
	defer dir.Close()
	losses, err := dir.Losses()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range losses {
		events += l.Events
	}
	return events
}

func wantLost(t *testing.T, path string, want uint64) {
	t.Helper()
	if got := toldLost(t, path); got != want {
		t.Errorf("told of %d lost events; want %d", got, want)
	}
}
