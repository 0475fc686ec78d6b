package msgblock

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	js "github.com/nats-io/nats.go/jetstream"
)

// TestDamagedFiles does to each file of a store what disks and people do, in
// all modes, and holds that the server then has all that is not reported lost.
func TestDamagedFiles(t *testing.T) {
	type damaged struct {
		name      string
		encrypted bool // makes sense only there
		do        func(t *testing.T, dir string, random *rand.Rand)
		want      string // in the report
		lost      bool
	}
	file := func(change func(t *testing.T, name string, random *rand.Rand), path ...string) func(*testing.T, string, *rand.Rand) {
		return func(t *testing.T, dir string, random *rand.Rand) {
			change(t, filepath.Join(append([]string{dir}, path...)...), random)
		}
	}
	flipped := func(t *testing.T, name string, random *rand.Rand) { flip(t, name, random) }
	gone := func(t *testing.T, name string, _ *rand.Rand) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	edit := func(change func(content []byte, random *rand.Rand) []byte) func(*testing.T, string, *rand.Rand) {
		return func(t *testing.T, name string, random *rand.Rand) {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, name, change(content, random))
		}
	}
	empty := edit(func([]byte, *rand.Rand) []byte { return nil })
	half := edit(func(b []byte, _ *rand.Rand) []byte { return b[:len(b)/2] })
	longer := edit(func(b []byte, random *rand.Rand) []byte {
		for range 5000 {
			b = append(b, byte(random.Uint32()))
		}
		return b
	})
	zeroed := edit(func(b []byte, _ *rand.Rand) []byte { clear(b[len(b)/2:][:min(4096, len(b)/2)]); return b })
	garbage := edit(func(b []byte, random *rand.Rand) []byte {
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	})
	origins := map[string]string{}
	wasIn := map[string]map[uint64][]byte{}
	for _, m := range modes {
		origins[m.name], wasIn[m.name] = build(t, m, 60, false, rand.New(rand.NewPCG(5, 5)))
	}
	for _, d := range []damaged{
		{"a block is gone", false, file(gone, "msgs", "3.blk"), "3.blk: the file is gone", true},
		{"a block is empty", false, file(empty, "msgs", "3.blk"), "3.blk: the file is empty", true},
		{"a block is cut in half", false, file(half, "msgs", "3.blk"), "3.blk at", true},
		{"a block has garbage behind it", false, file(longer, "msgs", "3.blk"), "3.blk at", false},
		{"a block has a page of zeros", false, file(zeroed, "msgs", "3.blk"), "3.blk at", true},
		{"a block is garbage", false, file(garbage, "msgs", "3.blk"), "3.blk at 0", true},
		{"the first block is garbage", false, file(garbage, "msgs", "1.blk"), "1.blk at 0", true},
		{"the last block is gone", false, func(t *testing.T, dir string, _ *rand.Rand) {
			indices, err := blockFiles(filepath.Join(dir, "msgs"))
			if err != nil {
				t.Fatal(err)
			}
			gone(t, filepath.Join(dir, "msgs", fmt.Sprintf("%d.blk", indices[len(indices)-1])), nil)
		}, "the blocks end at", true},
		{"all blocks are gone", false, func(t *testing.T, dir string, _ *rand.Rand) {
			all, _ := filepath.Glob(filepath.Join(dir, "msgs", "*.blk"))
			for _, name := range all {
				gone(t, name, nil)
			}
		}, "the blocks end at 0", true},
		{"all blocks are garbage", false, func(t *testing.T, dir string, random *rand.Rand) {
			all, _ := filepath.Glob(filepath.Join(dir, "msgs", "*.blk"))
			for _, name := range all {
				garbage(t, name, random)
			}
		}, "1.blk at 0", true},
		{"a bit of index.db flipped", false, file(flipped, "msgs", "index.db"), "index.db: it does not match", false},
		{"index.db is cut", false, file(half, "msgs", "index.db"), "index.db: it ", false},
		{"index.db is gone", false, file(gone, "msgs", "index.db"), "", false},
		{"a bit of meta.inf flipped", false, file(flipped, "meta.inf"), "can be restored", false},
		{"a bit of meta.sum flipped", false, file(flipped, "meta.sum"), "can be restored", false},
		{"meta.inf is garbage", false, file(garbage, "meta.inf"), "meta.inf: it does not match its checksum; the stream is to be created again", false},
		{"meta.inf is gone", false, file(gone, "meta.inf"), "meta.inf: the file is gone", false},
		{"meta.inf is empty", false, file(empty, "meta.inf"), "meta.inf: the file is gone or empty", false},
		{"meta.sum is gone", false, file(gone, "meta.sum"), "can be restored", false},
		{"a bit of a key flipped", true, file(flipped, "msgs", "3.key"), "3.key: a bit of it flipped", false},
		{"a key has garbage behind it", true, file(longer, "msgs", "3.key"), "3.key: a bit of it flipped, or its length changed", false},
		{"a key is garbage", true, file(garbage, "msgs", "3.key"), "3.blk: the key of the block is lost", true},
		{"a key is empty", true, file(empty, "msgs", "3.key"), "3.blk: the key of the block is lost", true},
		{"a key is gone", true, file(gone, "msgs", "3.key"), "3.blk: the key of the block is gone", true},
		{"a bit of meta.key flipped", true, file(flipped, "meta.key"), "meta.key: a bit", false},
		{"meta.key is garbage", true, file(garbage, "meta.key"), "meta.key: the key in it cannot be opened", false},
		{"meta.key is gone", true, file(gone, "meta.key"), "meta.inf: ", false},
	} {
		t.Run(d.name, func(t *testing.T) {
			for _, m := range modes {
				if d.encrypted && m.key() == nil {
					continue
				}
				t.Run(m.name, func(t *testing.T) {
					random := rand.New(rand.NewPCG(3, 9))
					store := t.TempDir()
					copyTree(t, store, origins[m.name])
					d.do(t, streamDir(store), random)
					r := scan(t, store, m.options())
					said := fmt.Sprint(r.Damage)
					if !strings.Contains(said, d.want) || (d.want == "") != r.Whole() {
						t.Errorf("got %s; want %q in it", said, d.want)
					}
					if lost := len(r.Lost()) > 0; lost != d.lost {
						t.Errorf("lost %v; want some: %v", r.Lost(), d.lost)
					}
					check(t, store, m, r, wasIn[m.name])
				})
			}
		})
	}
}

// TestCutShort cuts a store at each kind of place in its last block and in one
// before it.
func TestCutShort(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			origin, was := build(t, m, 60, true, rand.New(rand.NewPCG(5, 6)))
			r := scan(t, origin, m.options())
			lastBlock := r.Blocks[len(r.Blocks)-1]
			buf, err := r.readBlock(lastBlock.Index, nil)
			if err != nil {
				t.Fatal(err)
			}
			var starts []int
			for p := range r.checker(lastBlock.Index).walk(buf) {
				starts = append(starts, p.offset)
			}
			start := starts[len(starts)-1]
			for _, size := range []int{start, start + 1, start + 3, start + 4, start + 12, start + 20, start + 22, start + 25, len(buf) - 9, len(buf) - 1} {
				t.Run(fmt.Sprint(size-start), func(t *testing.T) {
					store := t.TempDir()
					copyTree(t, store, origin)
					if err := os.Truncate(filepath.Join(streamDir(store), "msgs", fmt.Sprintf("%d.blk", lastBlock.Index)), int64(size)); err != nil {
						t.Fatal(err)
					}
					last := uint64(len(was))
					// To whoever does not know what was acknowledged, it is a write that was cut off.
					torn := scan(t, store, m.options())
					if len(torn.Damage) > 0 || (torn.Torn != nil) != (size > start) || torn.Last != last-1 {
						t.Errorf("got %v, torn %v, last %d; want a torn write after %d", torn.Damage, torn.Torn, torn.Last, last-1)
					}
					opt := m.options()
					opt.Want = Range{1, last}
					known := scan(t, store, opt)
					if known.Torn != nil || known.Lost().String() != fmt.Sprint(last) || known.Last != last {
						t.Errorf("got %v, torn %v, last %d; want %d lost", known.Damage, known.Torn, known.Last, last)
					}
					check(t, store, m, known, was)
				})
			}
		})
	}
}

// TestRemovals holds that what was removed is no damage, and stays removed.
func TestRemovals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		remove func(t *testing.T, s *jetStream, was map[uint64][]byte)
	}{
		{"trimmed within a block", func(t *testing.T, s *jetStream, was map[uint64][]byte) { purge(t, s, was, 37) }},
		{"trimmed many times", func(t *testing.T, s *jetStream, was map[uint64][]byte) {
			for upTo := uint64(1); upTo < 90; upTo += 4 {
				purge(t, s, was, upTo)
			}
		}},
		{"trimmed to the last", func(t *testing.T, s *jetStream, was map[uint64][]byte) { purge(t, s, was, 120) }},
		{"purged", func(t *testing.T, s *jetStream, was map[uint64][]byte) { purge(t, s, was, 121) }},
		{"purged, and gone on", func(t *testing.T, s *jetStream, was map[uint64][]byte) {
			purge(t, s, was, 121)
			s.put(t, 20, rand.New(rand.NewPCG(1, 2)), was, sizes)
		}},
		{"purged to beyond the end", func(t *testing.T, s *jetStream, was map[uint64][]byte) { purge(t, s, was, 1000) }},
		{"removed from the middle", func(t *testing.T, s *jetStream, was map[uint64][]byte) {
			erase(t, s, was, false, 3, 40, 41, 42, 77, 120)
		}},
		{"erased from the middle", func(t *testing.T, s *jetStream, was map[uint64][]byte) {
			erase(t, s, was, true, 3, 40, 41, 42, 77, 119)
		}},
		{"a block's worth removed", func(t *testing.T, s *jetStream, was map[uint64][]byte) {
			for seq := uint64(20); seq < 80; seq++ {
				erase(t, s, was, false, seq)
			}
		}},
		{"all removed one by one", func(t *testing.T, s *jetStream, was map[uint64][]byte) {
			for seq := uint64(1); seq <= 120; seq++ {
				erase(t, s, was, false, seq)
			}
		}},
		{"never used", func(*testing.T, *jetStream, map[uint64][]byte) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, m := range modes {
				for _, crashed := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s, crashed %v", m.name, crashed), func(t *testing.T) {
						random := rand.New(rand.NewPCG(8, 8))
						store, was := t.TempDir(), map[uint64][]byte{}
						s := serve(t, store, m, small)
						if _, err := s.js.UpdateStream(t.Context(), js.StreamConfig{Name: streamName, Subjects: []string{subject}, AllowDirect: true}); err != nil {
							t.Fatal(err)
						}
						if tt.name != "never used" {
							s.put(t, 120, random, was, sizes)
						}
						tt.remove(t, s, was)
						state := s.state(t)
						if crashed {
							at := t.TempDir()
							for old := filepath.Join(streamDir(store), "__msgs__"); exists(old); { // removed beside, after a purge
								runtime.Gosched()
							}
							copyTree(t, at, store)
							store = at
						}
						s.close()
						opt := m.options()
						opt.Holes = true
						r := scan(t, store, opt)
						if !r.Whole() {
							t.Errorf("got %v, torn %v; want nothing", r.Damage, r.Torn)
						}
						if r.First != max(1, state.FirstSeq) || r.Last != state.LastSeq || r.Messages != state.Msgs {
							t.Errorf("got %d messages, %d to %d; want %d, %d to %d", r.Messages, r.First, r.Last, state.Msgs, state.FirstSeq, state.LastSeq)
						}
						// One flip more, and only that is lost.
						if len(r.Blocks) > 0 {
							b := r.Blocks[random.IntN(len(r.Blocks))]
							if b.Size > 0 {
								flip(t, r.block(b.Index), random)
							}
						}
						hurt := scan(t, store, opt)
						if n := hurt.Lost().Len(); n > 1 {
							t.Errorf("one flip lost %d messages: %v", n, hurt.Damage)
						}
						check(t, store, m, hurt, was)
					})
				}
			}
		})
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// purge removes all messages before first.
func purge(t *testing.T, s *jetStream, was map[uint64][]byte, first uint64) {
	t.Helper()
	if err := s.stream.Purge(t.Context(), js.WithPurgeSequence(first)); err != nil {
		t.Fatal(err)
	}
	for seq := range was {
		if seq < first {
			delete(was, seq)
		}
	}
}

func erase(t *testing.T, s *jetStream, was map[uint64][]byte, secure bool, seqs ...uint64) {
	t.Helper()
	remove := s.stream.DeleteMsg
	if secure {
		remove = s.stream.SecureDeleteMsg
	}
	for _, seq := range seqs {
		if err := remove(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
		delete(was, seq)
	}
}

// TestCopiedWhileWritten takes copies of a store while it is written to, as
// crashes would leave it: at most the last write is torn, and nothing that was
// acknowledged is missed.
func TestCopiedWhileWritten(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			store, was := t.TempDir(), map[uint64][]byte{}
			s := serve(t, store, m, small)
			if _, err := s.js.UpdateStream(t.Context(), js.StreamConfig{Name: streamName, Subjects: []string{subject}, AllowDirect: true}); err != nil {
				t.Fatal(err)
			}
			var acked atomic.Uint64
			copied := make(chan struct{})
			go func() {
				defer close(copied)
				for range 5 {
					for more := acked.Load() + 20; acked.Load() < more; {
						runtime.Gosched()
					}
					known, at := acked.Load(), t.TempDir()
					copyStore(t, at, store)
					opt := m.options()
					opt.Want = Range{1, known}
					if r, err := Scan(t.Context(), streamDir(at), opt); err != nil || len(r.Damage) > 0 || r.Last < known {
						t.Errorf("after %d were acknowledged: %v, %+v", known, err, r)
					}
				}
			}()
			random := rand.New(rand.NewPCG(6, 6))
			for going := true; going; {
				s.put(t, 1, random, was, sizes)
				acked.Add(1)
				select {
				case <-copied:
					going = false
				default:
				}
			}
		})
	}
}

// copyStore copies the stream's files one by one; those that the server makes
// and renames meanwhile are not part of the store.
func copyStore(t *testing.T, to, from string) {
	t.Helper()
	for _, pattern := range []string{"meta.*", "msgs/*.blk", "msgs/*.key"} { // a key is there before its block has data
		names, _ := filepath.Glob(filepath.Join(streamDir(from), pattern))
		for _, name := range names {
			rel, _ := filepath.Rel(from, name)
			content, err := os.ReadFile(name)
			if err == nil && !strings.HasSuffix(name, ".tmp") {
				_ = os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o700)
				err = os.WriteFile(filepath.Join(to, rel), content, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// TestLargeMessages loses one message of 20 MB, by two bits, among others.
func TestLargeMessages(t *testing.T) {
	m := modes[0]
	store, was := t.TempDir(), map[uint64][]byte{}
	s := serve(t, store, m, func(c *js.StreamConfig) { c.MaxMsgSize = -1 })
	random := rand.New(rand.NewPCG(6, 7))
	for _, size := range []int{100, 20 << 20, 100, 20 << 20, 1 << 20, 100} {
		s.put(t, 1, random, was, func(*rand.Rand) int { return size })
	}
	s.close()
	r := scan(t, store, m.options())
	for _, b := range r.Blocks {
		if !b.Messages.Contains(4) {
			continue
		}
		content, err := os.ReadFile(r.block(b.Index))
		if err != nil {
			t.Fatal(err)
		}
		content[10<<20] ^= 1
		content[11<<20] ^= 1
		overwrite(t, r.block(b.Index), content)
	}
	hurt := scan(t, store, m.options())
	if got := hurt.Lost().String(); got != "4" {
		t.Errorf("lost %s; want 4: %v", got, hurt.Damage)
	}
	check(t, store, m, hurt, was)
}

// TestMendKeepsWhatItReplaces holds that the folder aside has the old bytes.
func TestMendKeepsWhatItReplaces(t *testing.T) {
	m := modes[1]
	store, _ := build(t, m, 60, true, rand.New(rand.NewPCG(2, 2)))
	name := filepath.Join(streamDir(store), "msgs", "2.blk")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	clear(content[1000:3000])
	overwrite(t, name, content)
	aside := filepath.Join(t.TempDir(), "a", "b")
	if err := Mend(t.Context(), aside, scan(t, store, m.options())); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(filepath.Join(aside, "*-2.blk"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("got %v, %v; want one copy of 2.blk", kept, err)
	}
	if copied, err := os.ReadFile(kept[0]); err != nil || !slices.Equal(copied, content) {
		t.Errorf("the copy is not what the block was: %v", err)
	}
	if keys, _ := filepath.Glob(filepath.Join(aside, "*-2.key")); len(keys) != 1 {
		t.Errorf("got %v; want the block's key beside it", keys)
	}
}

// TestMendInterrupted stops Mend at each change that it makes, as a crash
// would, and holds that doing it again comes to the same.
func TestMendInterrupted(t *testing.T) {
	for _, m := range modes[:2] {
		t.Run(m.name, func(t *testing.T) {
			origin, was := build(t, m, 120, false, rand.New(rand.NewPCG(2, 3)))
			dir := filepath.Join(streamDir(origin), "msgs")
			for _, name := range []string{"2.blk", "4.blk"} {
				content, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				clear(content[500:6000])
				overwrite(t, filepath.Join(dir, name), content)
			}
			indices, err := blockFiles(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%d.blk", indices[len(indices)-1]))); err != nil {
				t.Fatal(err)
			}
			first := scan(t, origin, m.options())
			for stop := 1; ; stop++ {
				store := t.TempDir()
				copyTree(t, store, origin)
				ctx := &countdown{Context: t.Context(), left: stop}
				err := Mend(ctx, filepath.Join(t.TempDir(), "aside"), scan(t, store, m.options()))
				again := scan(t, store, m.options())
				if again.Last != first.Last {
					t.Fatalf("stopped at %d: the last is %d; want %d", stop, again.Last, first.Last)
				}
				left := map[uint64][]byte{}
				for seq, data := range was {
					if !first.Missing.Contains(seq) {
						left[seq] = data
					}
				}
				check(t, store, m, again, left)
				if err == nil {
					break
				}
			}
		})
	}
}

// countdown is a context that is cancelled when it has been asked often enough.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestMark holds that a mark saves reading what it describes, and nothing else.
func TestMark(t *testing.T) {
	m := modes[0]
	store, was := build(t, m, 120, true, rand.New(rand.NewPCG(2, 4)))
	r := scan(t, store, m.options())
	name := filepath.Join(t.TempDir(), "verified")
	if err := r.Mark().Write(name); err != nil {
		t.Fatal(err)
	}
	mark, err := ReadMark(name)
	if err != nil || len(mark.Blocks) != len(r.Blocks) {
		t.Fatalf("got %d blocks, %v; want %d", len(mark.Blocks), err, len(r.Blocks))
	}
	opt := m.options()
	opt.Since = mark
	same := scan(t, store, opt)
	if !same.Whole() || same.Messages != r.Messages || same.First != r.First || same.Last != r.Last {
		t.Errorf("got %+v; want what was found without the mark", same)
	}
	// What is unchanged in size, time and end is not read,
	block := r.block(2)
	info, err := os.Stat(block)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	content[100] ^= 1
	overwrite(t, block, content)
	if err := os.Chtimes(block, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if !scan(t, store, opt).Whole() {
		t.Error("an unchanged block was read again")
	}
	// any other is.
	if err := os.Chtimes(block, info.ModTime(), info.ModTime().Add(1)); err != nil {
		t.Fatal(err)
	}
	if scan(t, store, opt).Whole() {
		t.Error("a block that was written again was not read")
	}
	s := serve(t, store, m)
	s.put(t, 10, rand.New(rand.NewPCG(1, 1)), was, sizes)
	s.close()
	last := r.Blocks[len(r.Blocks)-1].Index
	now, err := os.ReadFile(r.block(last))
	if err != nil {
		t.Fatal(err)
	}
	now[r.Blocks[len(r.Blocks)-1].Size+25] ^= 4
	overwrite(t, r.block(last), now)
	if grown := scan(t, store, opt); grown.Whole() {
		t.Error("damage behind the mark is hidden by it")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	overwrite(t, name, text)
	if broken, err := ReadMark(name); err != nil || len(broken.Blocks) != 0 {
		t.Errorf("a damaged mark gives %v, %v; want none", broken, err)
	}
	if none, err := ReadMark(name + "-not"); err != nil || len(none.Blocks) != 0 {
		t.Errorf("no mark gives %v, %v; want none", none, err)
	}
}

// TestRead holds that Read returns what was put, and the caller's header.
func TestRead(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			store, was := build(t, m, 120, true, rand.New(rand.NewPCG(2, 5)))
			r := scan(t, store, m.options())
			next := uint64(7)
			for got, err := range r.Read(t.Context(), 7, 100) {
				if err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprint(got.Seq-1, " ", 10*(got.Seq-1))
				if got.Seq != next || got.Subject != subject || got.Value(totals) != want || sha256.Sum256(got.Data) != sha256.Sum256(was[got.Seq]) || got.Time.IsZero() {
					t.Fatalf("got %d %s %q; want %d %s %q and its data", got.Seq, got.Subject, got.Value(totals), next, subject, want)
				}
				next++
			}
			if next != 101 {
				t.Errorf("it ended before %d; want 101", next)
			}
		})
	}
}

// TestRefusals are stores that cannot be judged.
func TestRefusals(t *testing.T) {
	encrypted, _ := build(t, modes[1], 5, false, rand.New(rand.NewPCG(1, 1)))
	compressed := t.TempDir()
	s := serve(t, compressed, modes[0], small, func(c *js.StreamConfig) { c.Compression = js.S2Compression })
	s.put(t, 100, rand.New(rand.NewPCG(1, 1)), map[uint64][]byte{}, func(*rand.Rand) int { return 2000 })
	s.close()
	for _, tt := range []struct {
		name, store string
		opt         Options
		want        string
	}{
		{"no key", encrypted, Options{}, "the store is encrypted, and no key is given"},
		{"another key", encrypted, Options{Key: []byte("another")}, "the key opens none of the key files"},
		{"compressed", compressed, Options{}, "the block is compressed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r, err := Scan(t.Context(), streamDir(tt.store), tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want %q", r, err, tt.want)
			}
		})
	}
	t.Run("nothing there", func(t *testing.T) {
		r, err := Scan(t.Context(), filepath.Join(t.TempDir(), "none"), Options{})
		if err != nil || !r.Whole() || r.First != 1 || r.Last != 0 {
			t.Errorf("got %+v, %v; want an empty stream", r, err)
		}
	})
}
