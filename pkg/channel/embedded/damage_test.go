package embedded_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// filled makes a store of several segments, trims a bit of it, and copies it
// while it is open, as a crash leaves it, and after it was closed.
func filled(t *testing.T, keys *channel.Keys) (m *model, crashed, whole string) {
	dir := fastDir(t)
	crashed, whole = filepath.Join(fastDir(t), "crashed"), filepath.Join(fastDir(t), "whole")
	c := conf(t, dir)
	c.Keys = keys
	s := open(t, c)
	m = new(model)
	for n := range uint64(150) {
		size := 200
		switch n % 15 {
		case 7:
			size = 2_000
		case 9:
			size = 30_000
		}
		seq, data := add(t, s, n+1, size)
		m.all = append(m.all, channel.Message{First: m.last() + 1, Seq: seq, Totals: channel.Totals{Events: n + 1, Bytes: (n + 1) * 10}, Data: data})
	}
	m.trimmed = m.all[20].Seq
	if err := s.Trim(t.Context(), m.trimmed); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, crashed)
	closed(t, s)
	copyDir(t, dir, whole)
	return m, crashed, whole
}

func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

type file struct {
	path string
	size int64
}

func files(t testing.TB, dir string) (all []file, size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all = append(all, file{path, info.Size()})
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, size
}

// account checks that each message comes back whole or is known to be missing,
// and returns how many are.
func account(t testing.TB, m *model, c channel.StoreConfig) (lost int, err error) {
	s, err := embedded.OpenSized(zerolog.Nop().WithContext(t.Context()), c, small, part)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	got := make(map[uint64]channel.Message)
	_, last, err := s.Bounds(t.Context())
	if err != nil {
		return 0, err
	}
	for from := uint64(1); ; {
		read, err := s.Read(t.Context(), from, 50_000)
		if err != nil {
			return 0, err
		}
		if len(read) == 0 {
			break
		}
		for _, one := range read {
			got[one.Seq] = one
			from = one.Seq + 1
		}
	}
	first, _, err := s.Bounds(t.Context())
	if err != nil {
		return 0, err
	}
	missing := s.Missing()
	for _, want := range m.all {
		one, ok := got[want.Seq]
		delete(got, want.Seq)
		switch {
		case ok:
			if err := same(one, want); err != nil {
				return 0, err
			}
		case want.Seq <= m.trimmed:
		case want.Seq > last, want.Seq < first: // the one who keeps count sees that
			lost++
		default:
			known := slices.ContainsFunc(missing, func(p channel.Places) bool { return p.First <= want.Seq && want.Seq <= p.Last })
			if !known {
				return 0, fmt.Errorf("message %d is gone and not in %v", want.Seq, missing)
			}
			lost++
		}
	}
	for seq := range got {
		return 0, fmt.Errorf("message %d came, which nobody appended", seq)
	}
	return lost, nil
}

func TestFlippedBits(t *testing.T) {
	for _, keys := range []*channel.Keys{nil, {Active: []byte("0123456789abcdef")}} {
		m, crashed, whole := filled(t, keys)
		for _, from := range []string{crashed, whole} {
			t.Run(fmt.Sprintf("encrypted=%v/%s", keys != nil, filepath.Base(from)), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(3, 4))
				work := fastDir(t)
				for i := range 260 {
					dir := filepath.Join(work, fmt.Sprint(i))
					copyDir(t, from, dir)
					all, size := files(t, dir)
					at := r.Int64N(size)
					if i%3 == 0 { // the small files have their share, too
						at = -1
					}
					var damaged file
					for _, f := range all {
						if damaged = f; at < f.size {
							break
						}
						at -= f.size
					}
					if at < 0 {
						damaged = all[r.IntN(len(all))]
						if damaged.size == 0 {
							continue
						}
						at = r.Int64N(damaged.size)
					}
					flip(t, damaged.path, at, 1<<r.IntN(8))
					c := conf(t, dir)
					c.Keys = keys
					lost, err := account(t, m, c)
					if err != nil {
						t.Fatalf("bit at %d of %s: %v", at, damaged.path, err)
					}
					if lost > 1 {
						t.Errorf("bit at %d of %s: %d messages are lost; want 1 at most", at, damaged.path, lost)
					}
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

func flip(t testing.TB, path string, at int64, bit byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bit
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func blocks(t testing.TB, dir string) (all []file) {
	t.Helper()
	every, _ := files(t, dir)
	for _, f := range every {
		if strings.HasSuffix(f.path, ".blk") && f.size > 0 {
			all = append(all, f)
		}
	}
	return all
}

func TestFilesThatAreGoneOrGarbage(t *testing.T) {
	m, crashed, whole := filled(t, nil)
	for _, from := range []string{crashed, whole} {
		every, _ := files(t, from)
		for _, f := range every {
			name, err := filepath.Rel(from, f.path)
			if err != nil {
				t.Fatal(err)
			}
			for how, spoil := range map[string]func(path string) error{
				"removed": os.Remove,
				"emptied": func(path string) error { return os.Truncate(path, 0) },
				"garbage": func(path string) error { return os.WriteFile(path, []byte("\x00garbage\n{}"), 0o600) },
				"halved":  func(path string) error { return os.Truncate(path, f.size/2) },
			} {
				t.Run(filepath.Join(filepath.Base(from), name, how), func(t *testing.T) {
					dir := filepath.Join(fastDir(t), "store")
					copyDir(t, from, dir)
					if err := spoil(filepath.Join(dir, name)); err != nil {
						t.Fatal(err)
					}
					lost, err := account(t, m, conf(t, dir))
					if err != nil {
						t.Fatal(err)
					}
					if lost > 0 && filepath.Ext(name) != ".blk" {
						t.Errorf("%d messages are lost", lost)
					}
				})
			}
		}
	}
}

func TestSegmentsThatAreGone(t *testing.T) {
	m, crashed, whole := filled(t, nil)
	for _, from := range []string{crashed, whole} {
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) < 4 {
			t.Fatalf("there are %d segments; want more", len(entries))
		}
		for _, e := range entries {
			t.Run(filepath.Base(from)+"/"+e.Name(), func(t *testing.T) {
				dir := filepath.Join(fastDir(t), "store")
				copyDir(t, from, dir)
				if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
				lost, err := account(t, m, conf(t, dir))
				if err != nil {
					t.Fatal(err)
				}
				if lost == 0 {
					t.Error("nothing is lost; want something")
				}
			})
		}
	}
}

func TestDamageIsRefusedWithoutAPlaceForIt(t *testing.T) {
	_, crashed, _ := filled(t, nil)
	last := blocks(t, crashed)
	damaged := last[len(last)-1]
	flip(t, damaged.path, damaged.size/2, 1)
	_, err := embedded.Open(t.Context(), channel.StoreConfig{Dir: crashed})
	if !errors.Is(err, channel.ErrDamaged) {
		t.Errorf("got %v; want %v", err, channel.ErrDamaged)
	}
}
