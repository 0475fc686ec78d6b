// Package msgblock reads and mends the files in which nats-server keeps the
// messages of a JetStream stream: N.blk, N.key, index.db, meta.inf, meta.sum
// and meta.key, as nats-server 2.15 writes them. It needs no nats-server, and
// must not run beside one that has the stream open.
//
// It is here because nats-server's own recovery is for a replicated stream.
// When it opens a store that was not cleanly closed, it reads each block up to
// the first record that is not whole and truncates the file there, on the disk:
// one flipped bit, in one record, costs every later record of its block, and a
// line at level INF is all that is said. A block whose key file cannot be
// opened it deletes. After a clean close it trusts index.db instead and reads
// no block; then a flipped bit in a message makes that message "not found" when
// it is read, but one in a record's length has the block cut there and then,
// and in the last block the sequences that were cut off are given out again.
//
//	report, err := msgblock.Scan(ctx, dir, opt)   // changes nothing
//	if err == nil && !report.Whole() {
//		err = msgblock.Mend(ctx, aside, report)   // now nats-server may open it
//	}
//
// Scan tells what is damaged and exactly which sequences are lost by it. Mend
// sets aside what is damaged and leaves a store from which nats-server
// recovers all the rest, each message under the sequence that it had.
//
// What a flipped bit costs: in one of a record's three lengths, which are under
// no checksum, or in its checksum, nothing: there is one way only to put it
// right so that the checksum matches. In a key file nothing, for the same
// reason. In what a record holds nothing up to 16 KiB, since all bits can be
// tried; else that one message. In a tombstone, if it cannot be restored, a
// message that was removed comes back. index.db can always be made again.
// meta.inf, meta.sum and meta.key, if they cannot be restored, are set aside:
// nats-server then does not know the stream at its start, and takes over the
// messages when the stream is created again, with the configuration that it
// had, which the caller must know. (Left in their place, they would be ignored
// at each start: nats-server writes meta.inf only where there is none.)
//
// What cannot be seen: a message without a header, in a stream whose Subject
// is not given, is under no check as to where its subject ends.
package msgblock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Options say what the caller knows of a stream.
type Options struct {
	// Key is the server's JetStreamKey; nil: the store is not encrypted. The
	// cipher need not be told.
	Key []byte
	// Subject, if it is not empty, is the only subject that messages have.
	Subject string
	// Want is what should be there: the sequences of the messages that were
	// acknowledged and not removed. First must have been moved on before they
	// were removed. What of it no block holds is lost, also where the files
	// alone could not tell, as at the ends. The zero Range: not known.
	Want Range
	// Holes says that messages are removed from the middle of the stream, not
	// only from its front. nats-server forgets in time what was removed, so
	// that a sequence of which nothing is known is then no sign of a loss.
	Holes bool
	// Unclosed says that nats-server was not shut down in order, or still
	// runs: index.db and the meta files may be old, or half written, and a
	// block without content may be one that was about to be written or
	// removed. They are passed over; nats-server must not see them again.
	Unclosed bool
	// Since is what was found whole before: blocks that it describes are not read.
	Since Mark
}

// Block describes a block file that is there.
type Block struct {
	Index    uint32    `json:"index"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Tail     string    `json:"tail"`     // the last 8 bytes of the file, in hex
	Last     uint64    `json:"last"`     // the sequence that the stream had come to
	Time     time.Time `json:"time"`     // of that
	Messages Ranges    `json:"messages"` // the messages it holds, also those that were removed since
	Removed  Ranges    `json:"removed"`  // what it says was removed or skipped, in whatever block
}

// Damage is a part of a file that is not as it was written.
type Damage struct {
	File     string // its path
	Offset   int64
	Length   int64  // 0: all of the file
	Why      string // what is wrong with it
	Lost     Ranges // the messages that are lost by it
	Restored bool   // nothing is lost: it is known how it was
}

// String is one line for a person.
func (d Damage) String() string {
	at := d.File
	if d.Length > 0 {
		at += fmt.Sprintf(" at %d", d.Offset)
	}
	switch {
	case d.Restored:
		return at + ": " + d.Why + "; it can be restored"
	case len(d.Lost) > 0:
		return at + ": " + d.Why + "; lost: " + d.Lost.String()
	}
	return at + ": " + d.Why + "; no message is lost"
}

// Report is what Scan found.
type Report struct {
	Blocks      []Block
	First, Last uint64 // as nats-server would have them: First is Last+1 if there is no message
	Messages    uint64 // how many there are
	// Missing are the sequences between First (or what is known to have been
	// before it) and Last under which nothing is kept and of which no record
	// says that they were removed. They are lost, but for those of which there
	// is no sign of damage if there may be Holes.
	Missing Ranges
	Damage  []Damage
	// Torn is the end of the last block, if it is no whole record: a write
	// that a crash cut off. Nothing that was acknowledged is in it, unless
	// Options.Want says so; then it is Damage.
	Torn *Damage

	stream *stream
	dir    string // of the blocks
	scanState
}

// scanState is what Scan and Mend need beside what a caller does.
type scanState struct {
	removed Ranges
	clean   map[uint32]bool   // blocks without damage
	gone    map[uint32]bool   // blocks of which nothing can be kept
	files   map[string][]byte // other files that need mending, as they should be; nil: not there
	indexed Range             // what index.db says is there
	floor   uint64            // the highest sequence that was ever used, as far as is known
	served  Block             // the block with the last sequence that nats-server would find
}

// Whole reports whether nothing is damaged or torn: there is nothing to mend.
func (r *Report) Whole() bool { return len(r.Damage) == 0 && r.Torn == nil }

// Lost is the sequences of all messages that are lost.
func (r *Report) Lost() (lost Ranges) {
	for _, d := range r.Damage {
		lost = append(lost, d.Lost...)
	}
	return union(lost)
}

// stream is the place of a stream and what opens it.
type stream struct {
	dir     string
	name    string
	account string
	opt     Options
	meta    *key // what meta.key holds; nil: not encrypted, or it cannot be opened
	keys    map[uint32]*key
}

// Scan reads what is kept of the stream in dir, which is …/ACCOUNT/streams/NAME,
// a block at a time, and changes nothing. Its error says why it could not be
// read; damage is no error. A dir that is not there is an empty stream.
func Scan(ctx context.Context, dir string, opt Options) (*Report, error) {
	dir = filepath.Clean(dir)
	s := &stream{
		dir:     dir,
		name:    filepath.Base(dir),
		account: filepath.Base(filepath.Dir(filepath.Dir(dir))),
		opt:     opt,
		keys:    map[uint32]*key{},
	}
	r := &Report{stream: s, scanState: scanState{clean: map[uint32]bool{}, gone: map[uint32]bool{}, files: map[string][]byte{}}}
	var err error
	var half map[uint32]bool
	if r.dir, half, err = blocksDir(dir); err != nil {
		return nil, fmt.Errorf("looking at the store: %w", err)
	}
	indices, err := blockFiles(r.dir)
	if err != nil {
		return nil, fmt.Errorf("looking at the store: %w", err)
	}
	indices = slices.DeleteFunc(indices, func(i uint32) bool { return half[i] })
	if err := r.openKeys(indices); err != nil {
		return nil, err
	}
	if !opt.Unclosed {
		if err := r.checkMeta(); err != nil {
			return nil, err
		}
	}
	var wounds []wound
	var buf []byte
	for i, index := range indices {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, err := r.scanBlock(index, i == len(indices)-1, &buf)
		if err != nil {
			return nil, fault.At(fmt.Errorf("reading a message block: %w", err), r.block(index))
		}
		wounds = append(wounds, found...)
	}
	if !opt.Unclosed {
		if err := r.checkIndex(); err != nil {
			return nil, err
		}
	}
	r.conclude(wounds)
	return r, nil
}

const (
	blocksName   = "msgs"
	newBlockName = "__new_msgs__"
	indexName    = "index.db"
	metaName     = "meta.inf"
	sumName      = "meta.sum"
	metaKeyName  = "meta.key"
)

func (r *Report) block(index uint32) string {
	return filepath.Join(r.dir, fmt.Sprintf("%d.blk", index))
}
func (r *Report) key(index uint32) string { return filepath.Join(r.dir, fmt.Sprintf("%d.key", index)) }

// blocksDir returns the folder that nats-server would take the blocks from. A
// purge moves its one new block to a folder of its own first, the key before
// the block: without the block, the purge did not happen, and what the block of
// that index was is of no account.
func blocksDir(dir string) (blocks string, half map[uint32]bool, err error) {
	blocks, purged := filepath.Join(dir, blocksName), filepath.Join(dir, newBlockName)
	moved, err := blockFiles(purged)
	if err != nil || len(moved) > 0 {
		return purged, nil, err
	}
	entries, err := os.ReadDir(purged)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	half = map[uint32]bool{}
	for _, e := range entries {
		if index, ok := numbered(e.Name(), ".key"); ok {
			half[index] = true
		}
	}
	return blocks, half, nil
}

// blockFiles returns the indices of the blocks in dir, in order.
func blockFiles(dir string) (indices []uint32, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if index, ok := numbered(e.Name(), ".blk"); ok {
			indices = append(indices, index)
		}
	}
	slices.Sort(indices)
	return indices, nil
}

func numbered(name, suffix string) (uint32, bool) {
	number, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(number, 10, 32)
	return uint32(n), ok && err == nil && strconv.FormatUint(n, 10) == number
}

// openKeys opens the key files. If not one can be opened, it is the key that
// is wrong and not the files.
func (r *Report) openKeys(indices []uint32) error {
	s := r.stream
	name := filepath.Join(s.dir, metaKeyName)
	file, err := readFile(name)
	if err != nil {
		return err
	}
	if s.opt.Key == nil {
		keyed := file != nil
		for _, index := range indices {
			one, err := readFile(r.key(index))
			if err != nil {
				return err
			}
			keyed = keyed || one != nil
		}
		if keyed {
			return fault.At(fault.Hint(errors.New("the store is encrypted, and no key is given"), "give the key it was made with"), s.dir)
		}
		return nil
	}
	tried, opened := 0, 0
	var damage []Damage
	open := func(name string, file []byte, context string) *key {
		if file == nil {
			return nil
		}
		tried++
		k, ok := openKey(file, s.opt.Key, s.account, context)
		if !ok {
			damage = append(damage, Damage{File: name, Why: "the key in it cannot be opened"})
			return nil
		}
		opened++
		if k.restored != nil {
			damage = append(damage, Damage{File: name, Why: "a bit of it flipped, or its length changed", Restored: true})
			r.files[name] = k.restored
		}
		return &k
	}
	s.meta = open(name, file, s.name)
	for _, index := range indices {
		if file, err = readFile(r.key(index)); err != nil {
			return err
		}
		if file == nil { // nats-server takes the block for one from before the encryption
			continue
		}
		if k := open(r.key(index), file, fmt.Sprintf("%s:%d", s.name, index)); k != nil {
			s.keys[index] = k
		} else {
			r.gone[index] = true
		}
	}
	if tried > 0 && opened == 0 {
		return fault.At(fault.Hint(errors.New("the key opens none of the key files of the store"), "give the key it was made with"), s.dir)
	}
	r.Damage = damage
	return nil
}

// readFile returns nil for a file that is not there.
func readFile(name string) ([]byte, error) {
	content, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && content == nil {
		content = []byte{}
	}
	return content, err
}

// longestBlock is the longest that a block can be: 8 MiB and the message that
// went beyond them. What a longer file has beyond it, is no part of the block.
const longestBlock = 8<<20 + maxRecord

// readBlock reads a block and decrypts it. buf is the memory that it may use.
func (r *Report) readBlock(index uint32, buf []byte) ([]byte, error) {
	f, err := os.Open(r.block(index))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := int(min(info.Size(), longestBlock))
	buf = slices.Grow(buf[:0], size)[:size]
	if _, err := io.ReadFull(f, buf); err != nil {
		return nil, err
	}
	if err := r.stream.keys[index].crypt(buf); err != nil {
		return nil, err
	}
	if len(buf) > 3 && string(buf[:3]) == "cmp" && buf[3] <= 1 {
		if _, f := r.checker(index).parse(buf); f != whole {
			return nil, fault.Hint(errors.New("the block is compressed"), "fchan does not use compression; set the stream's compression to none and let nats-server write it anew")
		}
	}
	return buf, nil
}

func (r *Report) checker(index uint32) *checker {
	return newChecker(r.stream.name, index, r.stream.opt.Subject)
}

// wound is damage in a block before it is known what was lost by it.
type wound struct {
	Damage
	index  uint32
	after  uint64 // the sequence before it, 0: none in this block
	before uint64 // the sequence behind it, 0: none in this block
	guess  uint64 // the sequence that stands in it, 0: not credible
	end    bool   // it reaches to the end of the last block
}

func (r *Report) scanBlock(index uint32, isLast bool, buf *[]byte) ([]wound, error) {
	name := r.block(index)
	b, err := describe(index, name)
	if err != nil {
		return nil, err
	}
	if known, ok := r.stream.opt.Since.block(index); ok && known.same(b) && !r.gone[index] {
		r.clean[index] = true
		r.take(known)
		return nil, nil
	}
	lostAll := func(why string) ([]wound, error) {
		r.gone[index] = true
		r.take(b)
		return []wound{{Damage: Damage{File: name, Why: why}, index: index}}, nil
	}
	switch {
	case b.Size == 0 && (isLast || r.stream.opt.Unclosed): // made for writing, and nothing written yet
		r.clean[index] = true
		r.take(b)
		return nil, nil
	case b.Size == 0:
		return lostAll("the file is empty")
	case r.gone[index]:
		return lostAll("the key of the block is lost")
	}
	block, err := r.readBlock(index, *buf)
	if err != nil {
		return nil, err
	}
	*buf = block
	if r.stream.opt.Key != nil && r.stream.keys[index] == nil {
		if _, f := r.checker(index).parse(block); f != whole {
			return lostAll("the key of the block is gone")
		}
	}
	var wounds []wound
	for p := range r.checker(index).walk(block) {
		if p.flaw != whole {
			w := wound{index: index, after: b.Last, end: isLast && p.lost && p.offset+p.length == len(block),
				Damage: Damage{File: name, Offset: int64(p.offset), Length: int64(p.length), Why: p.why(b.Last), Restored: !p.lost}}
			if p.single && p.record.kind == message {
				w.guess = p.record.seq
			}
			wounds = append(wounds, w)
		}
		switch {
		case p.lost:
			continue
		case p.record.kind == tombstone:
			b.Removed = b.Removed.add(p.record.seq)
			continue
		case p.record.seq <= b.Last: // nats-server, too, passes over what does not move on
			continue
		case p.record.kind == skip:
			b.Removed = b.Removed.add(p.record.seq)
		default:
			b.Messages = b.Messages.add(p.record.seq)
		}
		b.Last, b.Time = p.record.seq, p.record.time
		for i := len(wounds) - 1; i >= 0 && wounds[i].before == 0; i-- {
			wounds[i].before = b.Last
		}
	}
	if b.Size > int64(len(block)) {
		wounds = append(wounds, wound{index: index, after: b.Last, Damage: Damage{File: name, Offset: int64(len(block)),
			Length: b.Size - int64(len(block)), Why: "the file is longer than a block can be"}})
	}
	b.Messages, b.Removed = union(b.Messages), union(b.Removed)
	if n := len(b.Removed); b.Last == 0 && n > 0 {
		b.Last = b.Removed[n-1].Last // where there is no message, nats-server goes by the tombstones
	}
	r.clean[index] = len(wounds) == 0
	r.take(b)
	return wounds, nil
}

// why says in words what is wrong with a piece; last is the sequence before it.
func (p piece) why(last uint64) string {
	what := fmt.Sprintf("the record after %d", last)
	switch {
	case !p.lost || p.single && p.record.seq > last:
		what = fmt.Sprintf("record %d", p.record.seq)
	case last == 0:
		what = "the first record"
	}
	if p.lost && len(p.raw) >= emptyLen && len(trimZeros(p.raw)) == 0 {
		return fmt.Sprintf("there are %d bytes of zeros in place of %s", len(p.raw), what)
	}
	return what + " " + p.flaw.String()
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// take adds a block to the report.
func (r *Report) take(b Block) {
	r.Blocks = append(r.Blocks, b)
	r.removed = union(r.removed, b.Removed)
	if b.Last >= r.served.Last {
		r.served = b
	}
	if n := len(b.Removed); n > 0 {
		r.floor = max(r.floor, b.Removed[n-1].Last)
	}
}

// conclude finds the sequences that are missing, and by which wound.
func (r *Report) conclude(wounds []wound) {
	want := r.stream.opt.Want
	r.floor = max(r.floor, r.served.Last, want.Last, r.indexed.Last)
	var held Ranges
	for _, b := range r.Blocks {
		held = union(held, b.Messages)
	}
	there := held.without(r.removed)
	r.Messages, r.First, r.Last = there.Len(), r.floor+1, r.floor
	if len(there) > 0 {
		r.First = there[0].First
	}
	from := r.First
	for _, known := range []uint64{want.First, r.indexed.First} {
		if known > 0 {
			from = min(from, known)
		}
	}
	for _, w := range wounds {
		from = min(from, r.earliest(w, from))
	}
	if from <= r.floor {
		r.Missing = Ranges{{from, r.floor}}.without(held).without(r.removed)
	}
	var last uint64 // that a block holds
	for _, b := range r.Blocks {
		last = max(last, b.Last)
	}
	wounds = slices.DeleteFunc(wounds, func(w wound) bool {
		// A block that was just begun holds nothing before its torn end.
		torn := w.end && max(w.after, last) >= want.Last && (r.stream.opt.Unclosed || r.floor == r.served.Last)
		if torn {
			r.Torn = &w.Damage
		}
		return torn
	})
	r.blame(wounds, want)
}

// earliest returns the earliest message that may have been lost by a wound
// before the first message that is there, from if none was.
func (r *Report) earliest(w wound, from uint64) uint64 {
	low, _ := r.around(w)
	switch {
	case w.Restored || low > 0 || w.end:
		return from
	case w.guess > 0:
		return w.guess
	case w.index == 1:
		return 1
	case from > 1 && !r.removed.Contains(from-1):
		return from - 1 // one at least
	}
	return from
}

// blame gives each missing sequence to the damage that explains it.
func (r *Report) blame(wounds []wound, want Range) {
	left := r.Missing
	claim := func(d Damage, part Ranges) Damage {
		left = left.without(part)
		d.Lost = part
		return d
	}
	// A wound that names its sequence goes before one that could be anything.
	for i, w := range wounds {
		if w.guess > 0 && left.Contains(w.guess) {
			wounds[i].Damage = claim(w.Damage, Ranges{{w.guess, w.guess}})
		}
	}
	for _, w := range wounds {
		if !w.Restored && len(w.Lost) == 0 {
			low, high := r.around(w)
			w.Damage = claim(w.Damage, left.within(low+1, high-1))
		}
		r.Damage = append(r.Damage, w.Damage)
	}
	for i := 1; i < len(r.Blocks) && !r.stream.opt.Holes; i++ {
		index := r.Blocks[i-1].Index + 1
		if index == r.Blocks[i].Index {
			continue
		}
		low, high := r.around(wound{index: index})
		if lost := left.within(low+1, high-1); len(lost) > 0 {
			r.Damage = append(r.Damage, claim(Damage{File: r.block(index), Why: "the file is gone"}, lost))
		}
	}
	known := left.within(want.First, want.Last)
	if !r.stream.opt.Holes {
		known = left.within(0, r.served.Last)
	}
	if len(known) > 0 {
		r.Damage = append(r.Damage, claim(Damage{File: r.dir, Why: "messages that were acknowledged are in none of the blocks"}, known))
	}
	if lost := left.within(r.served.Last+1, r.floor); len(lost) > 0 || r.floor > r.served.Last && r.Whole() {
		r.Damage = append(r.Damage, claim(Damage{File: r.dir, Why: fmt.Sprintf("the blocks end at %d and the stream at %d", r.served.Last, r.floor)}, lost))
	}
}

// around returns the nearest sequences that are held before and behind w.
func (r *Report) around(w wound) (low, high uint64) {
	low, high = w.after, w.before
	if high == 0 {
		high = r.floor + 1
	}
	for _, b := range r.Blocks {
		if len(b.Messages) == 0 {
			continue
		}
		if b.Index < w.index && w.after == 0 {
			low = max(low, b.Messages[len(b.Messages)-1].Last)
		}
		if b.Index > w.index && w.before == 0 {
			high = min(high, b.Messages[0].First)
		}
	}
	return low, high
}
