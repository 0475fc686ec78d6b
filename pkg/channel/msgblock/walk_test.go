package msgblock

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// blockOf is a block as nats-server writes it.
func blockOf(t testing.TB) []byte {
	t.Helper()
	store, _ := build(t, modes[0], 12, true, rand.New(rand.NewPCG(4, 4)))
	block, err := os.ReadFile(filepath.Join(streamDir(store), blocksName, "1.blk"))
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// FuzzWalk holds that whatever lies in a block, walk takes it apart without a
// gap, and that what it takes for records are records.
func FuzzWalk(f *testing.F) {
	block := blockOf(f)
	f.Add(block, uint16(0), byte(0))
	f.Add(block, uint16(300), byte(1))
	f.Add(block[:len(block)-5], uint16(2), byte(0x80))
	f.Add(bytes.Repeat([]byte{30, 0, 0, 0, 1}, 100), uint16(9), byte(0))
	f.Fuzz(func(t *testing.T, block []byte, at uint16, mask byte) {
		block = bytes.Clone(block)
		if len(block) > 0 {
			block[int(at)%len(block)] ^= mask
		}
		before := bytes.Clone(block)
		c := newChecker(streamName, 1, "")
		end := 0
		for p := range c.walk(block) {
			if p.offset != end || p.length <= 0 || p.offset+p.length > len(block) {
				t.Fatalf("a piece from %d of %d bytes after %d of %d", p.offset, p.length, end, len(block))
			}
			end += p.length
			if p.lost {
				continue
			}
			if r, flaw := newChecker(streamName, 1, "").parse(p.raw); flaw != whole || r.length != p.length || r.seq != p.record.seq {
				t.Fatalf("the record at %d %v", p.offset, flaw)
			}
			_, _, _ = p.record.subject(p.raw), p.record.header(p.raw), p.record.data(p.raw)
		}
		if end != len(block) {
			t.Fatalf("it ended at %d of %d", end, len(block))
		}
		if !bytes.Equal(block, before) {
			t.Fatal("the block was changed")
		}
	})
}

// TestFramingIsRestored flips every bit of the parts of a record that no
// checksum covers, and of the checksum: none of them costs a message.
func TestFramingIsRestored(t *testing.T) {
	block := blockOf(t)
	count := func(block []byte) (records, lost int) {
		for p := range newChecker(streamName, 1, "").walk(block) {
			if p.lost {
				lost++
			} else {
				records++
			}
		}
		return records, lost
	}
	want, _ := count(block)
	for p := range newChecker(streamName, 1, "").walk(block) {
		header := p.offset + fixedLen + p.record.slen
		end := p.offset + p.length
		for _, part := range [][2]int{{p.offset, p.offset + 4}, {p.offset + 20, p.offset + 22}, {header, header + 4}, {end - 8, end}} {
			for at := part[0]; at < part[1]; at++ {
				for bit := range 8 {
					hurt := bytes.Clone(block)
					hurt[at] ^= 1 << bit
					if got, lost := count(hurt); got != want || lost > 0 {
						t.Fatalf("record %d, bit %d of byte %d: %d whole, %d lost; want %d, 0", p.record.seq, bit, at-p.offset, got, lost, want)
					}
				}
			}
		}
	}
}

// TestDataThatLooksLikeRecords holds that a message that has a block in it, as
// when a store is sent through a channel, is not taken apart while it is whole,
// and that hostile data costs a bounded time when it is damaged.
func TestDataThatLooksLikeRecords(t *testing.T) {
	c := newChecker(streamName, 1, "")
	block := c.skipRecord(1, time.Unix(0, 1))
	trap := make([]byte, 0, 2<<20)
	for seq := uint64(2); len(trap) < 2<<20; seq++ {
		one := c.skipRecord(seq, time.Unix(0, 1))
		one[0], one[1], one[2] = 0, 0, 0x10 // a megabyte long
		trap = append(trap, one...)
	}
	block = append(block, trap...)
	block = append(block, c.skipRecord(1<<20, time.Unix(0, 2))...)
	c.summed = 1 << 30
	var last uint64
	for p := range c.walk(block) {
		if !p.lost {
			last = p.record.seq
		}
	}
	if last != 1<<20 {
		t.Errorf("the last record found is %d; want %d", last, 1<<20)
	}
}
