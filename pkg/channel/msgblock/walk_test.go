package msgblock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// blockOf is a block as nats-server writes it: with a removal and a skip in it.
// TestRead holds the layout against a real one.
func blockOf() (block []byte) {
	c := newChecker(streamName, 1, "")
	for seq := range uint64(12) {
		if seq++; seq == 5 {
			block = append(block, c.skipRecord(seq, time.Unix(0, 5))...)
			continue
		}
		header := fmt.Sprintf("NATS/1.0\r\n%s: %d %d\r\n\r\n", totals, seq, 10*seq)
		raw := make([]byte, fixedLen, 256)
		binary.LittleEndian.PutUint64(raw[4:], seq)
		if seq == 9 {
			binary.LittleEndian.PutUint64(raw[4:], 2|tombBit)
		} else {
			raw = append(raw, subject...)
			raw = binary.LittleEndian.AppendUint32(raw, uint32(len(header)))
			raw = append(raw, header...)
			raw = append(raw, bytes.Repeat([]byte{byte(seq)}, int(9*seq))...)
			binary.LittleEndian.PutUint16(raw[20:], uint16(len(subject)))
		}
		raw = append(raw, make([]byte, checksumLen)...)
		length := uint32(len(raw))
		if seq != 9 {
			length |= headerBit
		}
		binary.LittleEndian.PutUint32(raw, length)
		binary.LittleEndian.PutUint64(raw[len(raw)-checksumLen:], c.sum(raw, layout(raw).slen))
		block = append(block, raw...)
	}
	return block
}

// FuzzWalk holds that whatever lies in a block, walk takes it apart without a
// gap, and that what it takes for records are records. To fuzz, give go test
// -fuzzminimizetime 1x: making blocks smaller takes it all its time.
func FuzzWalk(f *testing.F) {
	block := blockOf()
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
		c.flips = 2
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
	block := blockOf()
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
		parts := [][2]int{{p.offset, p.offset + 4}, {p.offset + 20, p.offset + 22}, {end - 8, end}}
		if p.record.hlen > 0 {
			parts = append(parts, [2]int{header, header + 4})
		}
		for _, part := range parts {
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
