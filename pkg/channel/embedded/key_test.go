package embedded_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

func TestKeys(t *testing.T) {
	var (
		a = []byte("0123456789abcdef")
		b = bytes.Repeat([]byte{0, 0xff}, 12)
		c = bytes.Repeat([]byte("z"), 32)
	)
	dir, m := filepath.Join(fastDir(t), "store"), new(model)
	write := func(keys *channel.Keys) {
		t.Helper()
		conf := conf(t, dir)
		conf.Keys = keys
		s := open(t, conf)
		for range 3 {
			n := uint64(len(m.all) + 1)
			batch := new(event.Batch)
			batch.Append(event.Event{Body: []byte("nobody else may read this")})
			totals := channel.Totals{Events: n, Bytes: n}
			seq, err := s.Append(t.Context(), batch.Encoded(), totals)
			if err != nil {
				t.Fatal(err)
			}
			m.all = append(m.all, channel.Message{Seq: seq, Totals: totals, Data: batch.Encoded()})
		}
		m.holds(t, s)
		closed(t, s)
	}
	write(&channel.Keys{Active: a})
	write(&channel.Keys{Active: b, Old: [][]byte{a}})
	write(&channel.Keys{Active: c, Old: [][]byte{b, a}})
	all, _ := files(t, dir)
	for _, f := range all {
		content, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range [][]byte{[]byte("nobody else"), a, b, c} {
			if bytes.Contains(content, secret) {
				t.Errorf("%s holds %q", f.path, secret)
			}
		}
	}
	for _, keys := range []*channel.Keys{nil, {Active: []byte("fedcba9876543210")}, {Active: c, Old: [][]byte{a}}} {
		conf := conf(t, dir)
		conf.Keys = keys
		_, err := embedded.Open(t.Context(), conf)
		if err == nil {
			t.Errorf("with the keys %v: it was opened", keys)
			continue
		}
		if lines := strings.Join(fault.Lines(err), "\n"); !strings.Contains(lines, "encrypted with the key") || !strings.Contains(lines, "hint: give the key") {
			t.Errorf("with the keys %v: got %q; want the key that is needed and a hint", keys, lines)
		}
	}
	// Without the files that say so, it is found out.
	for _, f := range all {
		if filepath.Base(f.path) == "state" {
			if err := os.Remove(f.path); err != nil {
				t.Fatal(err)
			}
		}
	}
	conf := conf(t, dir)
	if _, err := embedded.Open(t.Context(), conf); err == nil {
		t.Error("without keys and states: it was opened")
	}
	write(&channel.Keys{Active: a, Old: slices.Concat([][]byte{b, c})})
	// Keys can be taken away again: what is written from then on is plain.
	conf.Keys = &channel.Keys{Old: [][]byte{a, b, c}}
	s := open(t, conf)
	seq, data := add(t, s, 99, 100)
	m.all = append(m.all, channel.Message{Seq: seq, Totals: channel.Totals{Events: 99, Bytes: 990}, Data: data})
	m.holds(t, s)
	closed(t, s)
}
