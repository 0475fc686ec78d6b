package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/event"
)

const (
	small = 64 << 10 // of a segment
	part  = 4 << 10  // of a record
)

func conf(t testing.TB, dir string) channel.StoreConfig {
	return channel.StoreConfig{Dir: dir, Aside: dir + ".aside"}
}

func open(t testing.TB, c channel.StoreConfig) *embedded.Store {
	t.Helper()
	s, err := embedded.OpenSized(t.Context(), c, small, part)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t testing.TB, s channel.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// fastDir is a directory on which syncs cost nothing, if there is one.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "embedded-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// batch returns a batch's binary form of about size bytes that nothing can
// compress.
func batch(seed uint64, size int) []byte {
	body := make([]byte, max(0, size-24))
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	r.Read(body)
	b := new(event.Batch)
	b.Append(event.Event{Body: body})
	return b.Encoded()
}

func add(t testing.TB, s channel.Store, n uint64, size int) (uint64, []byte) {
	t.Helper()
	data := batch(n, size)
	seq, err := s.Append(context.Background(), data, channel.Totals{Events: n, Bytes: n * 10})
	if err != nil {
		t.Fatal(err)
	}
	return seq, data
}

func readAll(t testing.TB, s channel.Store, from uint64, most int) (all []channel.Message) {
	t.Helper()
	for {
		read, err := s.Read(context.Background(), from, most)
		if err != nil {
			t.Fatal(err)
		}
		if len(read) == 0 {
			return all
		}
		all = append(all, read...)
		from = read[len(read)-1].Seq + 1
	}
}

// model is what a store should hold: all messages that were ever appended.
type model struct {
	all     []channel.Message
	trimmed uint64
	crashes int // after each of which there may be a message more
}

func (m *model) last() uint64 {
	if len(m.all) == 0 {
		return 0
	}
	return m.all[len(m.all)-1].Seq
}

func (m *model) from(seq uint64) []channel.Message {
	for i, one := range m.all {
		if one.Seq >= max(seq, m.trimmed+1) {
			return m.all[i:]
		}
	}
	return nil
}

func same(got, want channel.Message) error {
	if got.First != want.First || got.Seq != want.Seq || got.Totals != want.Totals || !bytes.Equal(got.Data, want.Data) {
		return fmt.Errorf("got %d-%d %v, %d bytes; want %d-%d %v, %d bytes", got.First, got.Seq, got.Totals, len(got.Data),
			want.First, want.Seq, want.Totals, len(want.Data))
	}
	return nil
}

func TestStoreIsASlice(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		t.Run(fmt.Sprintf("encrypted=%v", keyed), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				dir := fastDir(t)
				c := channel.StoreConfig{Dir: filepath.Join(dir, "store"), Aside: filepath.Join(dir, "aside")}
				defer os.RemoveAll(dir)
				if keyed {
					c.Keys = &channel.Keys{Active: []byte("0123456789abcdef")}
				}
				s, m := open(t, c), new(model)
				defer func() { closed(t, s) }()
				check := func() {
					first, last, err := s.Bounds(t.Context())
					if err != nil {
						r.Fatal(err)
					}
					if last != m.last() {
						r.Fatalf("got last %d; want %d", last, m.last())
					}
					// After it was opened again, what was trimmed may be back.
					if first > m.trimmed+1 {
						r.Fatalf("got first %d; want %d at most", first, m.trimmed+1)
					}
					if missing := s.Missing(); len(missing) > 0 {
						r.Fatalf("got missing %v; want none", missing)
					}
				}
				r.Repeat(map[string]func(*rapid.T){
					"": func(*rapid.T) { check() },
					"append": func(r *rapid.T) {
						size := rapid.IntRange(0, 20_000).Draw(r, "size")
						n := uint64(len(m.all) + 1)
						data := batch(n, size)
						totals := channel.Totals{Events: n, Bytes: uint64(size)}
						seq, err := s.Append(t.Context(), data, totals)
						if err != nil {
							r.Fatal(err)
						}
						m.all = append(m.all, channel.Message{First: m.last() + 1, Seq: seq, Totals: totals, Data: data, Time: time.Now()})
					},
					"read": func(r *rapid.T) {
						from := rapid.Uint64Range(m.trimmed+1, m.last()+2).Draw(r, "from")
						most := rapid.IntRange(0, 100_000).Draw(r, "most")
						got, err := s.Read(t.Context(), from, most)
						if err != nil {
							r.Fatal(err)
						}
						want, size := m.from(from), 0
						for i := range want {
							if size += len(want[i].Data); size > most {
								want = want[:i+1]
								break
							}
						}
						if len(got) != len(want) {
							r.Fatalf("from %d, most %d: got %d messages; want %d", from, most, len(got), len(want))
						}
						for i := range want {
							if err := same(got[i], want[i]); err != nil {
								r.Fatal(err)
							}
						}
					},
					"since": func(r *rapid.T) {
						if len(m.all) == 0 || m.trimmed == m.last() {
							return
						}
						want := rapid.SampledFrom(m.from(0)).Draw(r, "message")
						read, err := s.Read(t.Context(), want.Seq, 0)
						if err != nil || len(read) != 1 {
							r.Fatalf("got %d messages, %v", len(read), err)
						}
						if seq, err := s.Since(t.Context(), read[0].Time); seq != want.Seq || err != nil {
							r.Fatalf("since message %d: got %d, %v", want.Seq, seq, err)
						}
						if seq, err := s.Since(t.Context(), time.Now().Add(time.Second)); seq != m.last()+1 || err != nil {
							r.Fatalf("since later: got %d, %v; want %d", seq, err, m.last()+1)
						}
					},
					"trim": func(r *rapid.T) {
						if len(m.all) > 0 {
							m.trimmed = max(m.trimmed, rapid.SampledFrom(m.all).Draw(r, "upTo").Seq)
						}
						if err := s.Trim(t.Context(), m.trimmed); err != nil {
							r.Fatal(err)
						}
					},
					"reopen": func(r *rapid.T) {
						closed(t, s)
						s = open(t, c)
					},
				})
			})
		})
	}
}

func TestMain(m *testing.M) {
	if victim() {
		return
	}
	goleak.VerifyTestMain(m)
}

// holds checks that a store has what the model has, which was all acknowledged,
// and one message more at most.
func (m *model) holds(t *testing.T, s channel.Store) {
	t.Helper()
	got := readAll(t, s, m.trimmed+1, 1<<20)
	want := m.from(0)
	if len(got) < len(want) || len(got) > len(want)+1 {
		t.Fatalf("got %d messages; want %d", len(got), len(want))
	}
	for i := range want {
		want[i].First = got[i].First
		if err := same(got[i], want[i]); err != nil {
			t.Fatal(err)
		}
	}
	m.all = append(m.all, got[len(want):]...)
}
