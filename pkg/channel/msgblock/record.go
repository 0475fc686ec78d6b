package msgblock

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/minio/highwayhash"
)

// The layout of a record, little-endian:
//
//	length 4 | sequence 8 | time 8 | subject's length 2 | subject | [header's length 4 | header] | data | checksum 8
//
// The length counts the whole record; its top bit says that there is a header.
// The checksum is over sequence, time, subject, header and data: over none of
// the three lengths.
const (
	fixedLen    = 22
	checksumLen = 8
	emptyLen    = fixedLen + checksumLen // a tombstone's or a skip's length
	maxRecord   = 32 << 20               // what nats-server takes for a record at most
	headerBit   = 1 << 31                // of the length
	skipBit     = 1 << 63                // of the sequence: holds no message (skipped or erased)
	tombBit     = 1 << 62                // of the sequence: that message was removed
)

const (
	headerStart = "NATS/1.0"
	headerEnd   = "\r\n\r\n"
)

type kind int

const (
	message   kind = iota
	skip           // the sequence was used up without a message
	tombstone      // an earlier message was removed
)

// record is where the parts of a record lie in its bytes.
type record struct {
	seq    uint64
	kind   kind
	time   time.Time
	length int
	slen   int // the subject's length
	hlen   int // the header's length, 0: no header
}

func (r record) subject(raw []byte) []byte { return raw[fixedLen : fixedLen+r.slen] }

func (r record) header(raw []byte) []byte {
	if r.hlen == 0 {
		return nil
	}
	at := fixedLen + r.slen + 4
	return raw[at : at+r.hlen]
}

func (r record) data(raw []byte) []byte {
	at := fixedLen + r.slen
	if r.hlen > 0 {
		at += 4 + r.hlen
	}
	return raw[at : r.length-checksumLen]
}

// checker knows the checksum of a block's records and the subject they should
// have. It is for one goroutine.
type checker struct {
	hash    *highwayhash.Digest64
	subject string
	slen    int // of the last whole message
	flips   int // searches for one flipped bit that are left
	summed  int // bytes that may be summed in vain in search of a record's start
}

// newChecker makes the checker for a block: the key is the name of the stream
// and the index of the block.
func newChecker(stream string, index uint32, subject string) *checker {
	return &checker{
		hash:    newHash(fmt.Sprintf("%s-%d", stream, index)),
		subject: subject,
		slen:    len(subject),
		flips:   mostFlips,
		summed:  mostSummed,
	}
}

func newHash(name string) *highwayhash.Digest64 {
	key := sha256.Sum256([]byte(name))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil { // the length of the key is wrong, which it is not
		panic(err)
	}
	return hash
}

// why a record is not whole.
type flaw int

const (
	whole flaw = iota
	cut        // ends before its length says
	badLength
	badChecksum
	badHeaderLength
	badSubject
)

func (f flaw) String() string {
	return [...]string{"is whole", "is cut off", "has a length that cannot be", "does not match its checksum",
		"has a wrong length of its header", "has a wrong length of its subject"}[f]
}

// parse reads the record at the start of buf. The record is filled as far as
// it could be read; all of it can be relied on only where the flaw is whole.
func (c *checker) parse(buf []byte) (r record, f flaw) {
	if len(buf) < emptyLen {
		return r, cut
	}
	r = layout(buf)
	extra := r.slen
	if hasHeader(buf) {
		extra += 4
	}
	switch {
	case r.length > maxRecord || r.length < emptyLen+extra:
		return r, badLength
	case r.length > len(buf):
		return r, cut
	}
	raw := buf[:r.length]
	if c.sum(raw, r.slen) != binary.LittleEndian.Uint64(raw[r.length-checksumLen:]) {
		return r, badChecksum
	}
	if r.kind == message && c.subject != "" && (r.slen != len(c.subject) || string(r.subject(raw)) != c.subject) {
		return r, badSubject
	}
	if !hasHeader(raw) {
		return r, whole
	}
	at := fixedLen + r.slen
	stored := binary.LittleEndian.Uint32(raw[at:])
	r.hlen = headerLen(raw[at+4 : r.length-checksumLen])
	if r.hlen < 0 { // not in the form that JetStream keeps: there is nothing to hold its length against
		r.hlen = int(stored)
	}
	if uint64(stored) > uint64(r.length-checksumLen-at-4) || int(stored) != r.hlen {
		return r, badHeaderLength
	}
	return r, whole
}

// layout reads the fixed part of a record, which must be there.
func layout(buf []byte) record {
	seq := binary.LittleEndian.Uint64(buf[4:])
	r := record{
		seq:    seq &^ (skipBit | tombBit),
		time:   time.Unix(0, int64(binary.LittleEndian.Uint64(buf[12:]))),
		length: int(binary.LittleEndian.Uint32(buf) &^ headerBit),
		slen:   int(binary.LittleEndian.Uint16(buf[20:])),
	}
	switch {
	case seq&tombBit != 0:
		r.kind = tombstone
	case seq&skipBit != 0 || seq == 0:
		r.kind = skip
	}
	return r
}

func hasHeader(raw []byte) bool { return raw[3]&0x80 != 0 }

// headerLen returns the length of the header that rest begins with, -1 if it
// begins with none.
func headerLen(rest []byte) int {
	if !bytes.HasPrefix(rest, []byte(headerStart)) {
		return -1
	}
	end := bytes.Index(rest, []byte(headerEnd))
	if end < 0 {
		return -1
	}
	return end + len(headerEnd)
}

func (c *checker) sum(raw []byte, slen int) uint64 {
	c.hash.Reset()
	c.hash.Write(raw[4:20])
	rest := fixedLen + slen
	c.hash.Write(raw[fixedLen:rest])
	if hasHeader(raw) {
		rest += 4
	}
	c.hash.Write(raw[rest : len(raw)-checksumLen])
	var sum [checksumLen]byte
	return binary.LittleEndian.Uint64(c.hash.Sum(sum[:0]))
}

const (
	// longestSearch is the longest record in which one flipped bit is looked
	// for, which costs eight checksums a byte: 0.2 s for this one.
	longestSearch = 16 << 10
	mostFlips     = 64 // such searches in one block
	// mostSummed bounds the time, a few seconds, that data which was made to
	// look like the starts of long records can cost. Then only short ones count.
	mostSummed = 32 << 30
	shortOne   = 64 << 10
)

// restore returns the record that raw was before a bit of it flipped, nil if it
// cannot be told. raw is as long as the record. What it returns matches its
// checksum, so that it is a guess only in the sense that all checksums are.
func (c *checker) restore(raw []byte) []byte {
	if len(raw) < emptyLen || len(raw) > maxRecord {
		return nil
	}
	try := bytes.Clone(raw)
	slens := []int{int(binary.LittleEndian.Uint16(raw[20:])), c.slen}
	for bit := range 16 {
		slens = append(slens, slens[0]^1<<bit)
	}
	for _, flags := range []uint32{binary.LittleEndian.Uint32(raw) & headerBit, ^binary.LittleEndian.Uint32(raw) & headerBit} {
		for _, slen := range slens {
			binary.LittleEndian.PutUint32(try, uint32(len(raw))|flags)
			binary.LittleEndian.PutUint16(try[20:], uint16(slen))
			if c.match(try) {
				return try
			}
		}
	}
	if len(raw) > longestSearch || c.flips == 0 {
		return nil
	}
	c.flips--
	copy(try, raw)
	binary.LittleEndian.PutUint32(try, uint32(len(raw))|binary.LittleEndian.Uint32(raw)&headerBit)
	if slen := layout(try).slen; fixedLen+slen+checksumLen+4 > len(raw) {
		return nil
	}
	stored := binary.LittleEndian.Uint64(try[len(try)-checksumLen:])
	slen := layout(try).slen
	flipped := flipBit(try[4:len(try)-checksumLen], func() bool { return c.sum(try, slen) == stored })
	if flipped && c.match(try) {
		return try
	}
	return nil
}

// match reports whether raw is whole, or made whole by its header's length or
// its checksum alone: it corrects these. Sums that differ in two bits of 64
// are of the same bytes; of others they differ in half of them.
func (c *checker) match(raw []byte) bool {
	r, f := c.parse(raw)
	if f == badChecksum {
		sum := c.sum(raw, r.slen)
		if bits.OnesCount64(sum^binary.LittleEndian.Uint64(raw[len(raw)-checksumLen:])) > 2 {
			return false
		}
		binary.LittleEndian.PutUint64(raw[len(raw)-checksumLen:], sum)
		r, f = c.parse(raw)
	}
	if f == badHeaderLength && r.hlen <= len(raw)-emptyLen-r.slen-4 {
		binary.LittleEndian.PutUint32(raw[fixedLen+r.slen:], uint32(r.hlen))
		r, f = c.parse(raw)
	}
	return f == whole && r.length == len(raw)
}

// flipBit flips the bits of buf one at a time until ok says that it is right,
// and reports whether it came to that. Else buf is as it was.
func flipBit(buf []byte, ok func() bool) bool {
	for i := range buf {
		for bit := byte(1); bit != 0; bit <<= 1 {
			if buf[i] ^= bit; ok() {
				return true
			}
			buf[i] ^= bit
		}
	}
	return false
}

// skipRecord is the record that says that seq was used up.
func (c *checker) skipRecord(seq uint64, at time.Time) []byte {
	raw := make([]byte, emptyLen)
	binary.LittleEndian.PutUint32(raw, emptyLen)
	binary.LittleEndian.PutUint64(raw[4:], seq|skipBit)
	binary.LittleEndian.PutUint64(raw[12:], uint64(at.UnixNano()))
	binary.LittleEndian.PutUint64(raw[fixedLen:], c.sum(raw, 0))
	return raw
}
