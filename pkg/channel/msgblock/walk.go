package msgblock

import (
	"encoding/binary"
	"iter"
)

// piece is a part of a block: a record, or bytes that are none.
type piece struct {
	offset int
	raw    []byte // as it should be: a record that could be restored is whole here
	length int    // in the block
	record record
	flaw   flaw // of what lies in the block
	lost   bool // raw is no record
	single bool // lost, and by its length just one record
}

// walk returns the pieces of a block, in order, with nothing left out.
func (c *checker) walk(buf []byte) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		var last uint64
		for at := 0; at < len(buf); {
			r, f := c.parse(buf[at:])
			p := piece{offset: at, length: r.length, record: r, flaw: f}
			if f == whole {
				p.raw = buf[at : at+r.length]
			} else {
				p = c.mend(buf, p, last)
			}
			if !p.lost && p.record.kind != tombstone {
				last = max(last, p.record.seq)
			}
			if !p.lost && p.record.kind == message {
				c.slen = p.record.slen
			}
			if !yield(p) {
				return
			}
			at += p.length
		}
	}
}

// mend finds out how far the bytes at p.offset, which are no whole record,
// reach, and whether they can be made one.
func (c *checker) mend(buf []byte, p piece, last uint64) piece {
	rest := buf[p.offset:]
	fits := p.flaw != cut && p.flaw != badLength // then p.length lies in rest
	if fits {
		if raw := c.restore(rest[:p.length]); raw != nil {
			return c.restored(p, raw)
		}
	}
	// One damaged length must not cost what follows, and may by chance reach
	// from one record's start to another's: the first whole record counts.
	next := c.find(rest, last)
	if !fits || next != p.length {
		if raw := c.restore(rest[:next]); raw != nil {
			p.length, p.flaw = next, badLength
			return c.restored(p, raw)
		}
	}
	if fits && p.length < next && c.restores(rest[p.length:next]) {
		next = p.length // two in a row, and the second can be restored
	}
	p.single = fits && next == p.length
	p.length, p.raw, p.lost = next, rest[:next], true
	return p
}

func (c *checker) restored(p piece, raw []byte) piece {
	p.raw = raw
	p.record, _ = c.parse(raw)
	return p
}

// restores reports whether buf begins with a record that can be restored.
func (c *checker) restores(buf []byte) bool {
	r, f := c.parse(buf)
	return f != cut && f != badLength && c.restore(buf[:r.length]) != nil
}

// furthest is how far ahead a sequence may be of the one before.
const furthest = 1 << 32

// find returns where, after its first byte, the next whole record of buf
// begins: at the end if there is none.
func (c *checker) find(buf []byte, last uint64) int {
	for at := 1; at+emptyLen <= len(buf); at++ {
		if length := binary.LittleEndian.Uint32(buf[at:]) &^ headerBit; length < emptyLen || length > uint32(min(maxRecord, len(buf)-at)) {
			continue
		}
		r := layout(buf[at:])
		plausible := r.seq > last && r.seq-last <= furthest
		if r.kind == tombstone {
			plausible = r.length == emptyLen && r.seq <= last+furthest
		}
		if !plausible || c.summed < 0 && r.length > shortOne {
			continue
		}
		c.summed -= r.length
		if _, f := c.parse(buf[at:]); f == whole || f == badHeaderLength {
			return at
		}
	}
	return len(buf)
}
