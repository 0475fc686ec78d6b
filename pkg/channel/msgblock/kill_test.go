package msgblock

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestLeftByAKill has what a nats-server leaves that is killed at the wrong
// moment: none of it is damage.
func TestLeftByAKill(t *testing.T) {
	origin, _ := build(t, modes[0], 60, true, rand.New(rand.NewPCG(5, 7)))
	msgs := filepath.Join("jetstream", "$G", "streams", filepath.Base(streamDir(origin)), "msgs")
	whole := scan(t, origin, Options{Subject: subject, Unclosed: true})
	next := fmt.Sprintf("%d.blk", whole.Blocks[len(whole.Blocks)-1].Index+1)
	first, err := os.ReadFile(whole.block(whole.Blocks[0].Index))
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []struct {
		name    string
		file    string
		content []byte
		torn    bool
	}{
		{"half of index.db", "index.db", []byte{22, 1, 2}, false},
		{"an old index.db", "index.db", make([]byte, 100), false},
		{"a block without content", next, nil, false},
		{"a first block without content", "0.blk", nil, false},
		{"a block with half a record", next, first[:50], true},
	} {
		t.Run(left.name, func(t *testing.T) {
			store := t.TempDir()
			copyTree(t, store, origin)
			if err := os.WriteFile(filepath.Join(store, msgs, left.file), left.content, 0o600); err != nil {
				t.Fatal(err)
			}
			r := scan(t, store, Options{Subject: subject, Unclosed: true})
			if len(r.Damage) > 0 || len(r.Lost()) > 0 || (r.Torn != nil) != left.torn {
				t.Errorf("damage %v, torn %v; want torn %v", r.Damage, r.Torn, left.torn)
			}
			if r.First != whole.First || r.Last != whole.Last || r.Messages != whole.Messages {
				t.Errorf("%d messages, %d to %d; want %d, %d to %d", r.Messages, r.First, r.Last, whole.Messages, whole.First, whole.Last)
			}
		})
	}
}
