package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/flumekit/flumekit/pkg/fault"
)

// position is what a channel knows besides its messages: how far puts have
// come, and which messages are still to be delivered.
type position struct {
	put       uint64 // the last message that was acknowledged to its putters
	putTotals Totals // through put

	taken       uint64   // every message up to here was handed out,
	takenTotals Totals   // through taken
	open        []uint64 // and committed by its taker but for these, in order
	openTotals  Totals   // of the open messages
}

// held returns what has been put and not been taken for good.
func (p *position) held() Totals {
	return p.putTotals.minus(p.takenTotals).plus(p.openTotals)
}

// floor returns the message up to which all are taken for good.
func (p *position) floor() uint64 {
	if len(p.open) > 0 {
		return p.open[0] - 1
	}
	return p.taken
}

// ledger is the file that keeps a position. Each change is written to the one
// of two slots that holds the older record, so that a write that is torn in
// the middle leaves the other. What was written survives the process; it
// survives the machine only once it is synced. A position that is older than
// the truth costs deliveries that are made again, and never an event.
type ledger struct {
	file       *os.File
	generation uint64
	buf        []byte
}

// A record is the CRC-32C of what follows it, the length of what follows that,
// and then, all big-endian: generation, put, its totals, taken, its totals, the
// open messages' totals, the number of runs that the open messages make; each
// run as two unsigned varints, its distance from the end of the run before and
// its length.
const (
	slotSize   = 64 << 10
	recordHead = 8
	recordBody = 8 * 10
	// maxOpen bounds the open messages so that a record always fits: the
	// longest is every other message open, in a slot of 64 KiB.
	maxOpen = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openLedger opens the ledger at path and returns the position in it.
// The error wraps fs.ErrNotExist if there is no such file.
func openLedger(path string) (*ledger, *position, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	l, p, err := readLedger(file)
	if err != nil {
		file.Close()
	}
	return l, p, err
}

// lookUp returns the position in the ledger at path, which need not be writable.
func lookUp(path string) (*position, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, p, err := readLedger(file)
	return p, err
}

func readLedger(file *os.File) (*ledger, *position, error) {
	slots := make([]byte, 2*slotSize)
	if _, err := file.ReadAt(slots, 0); err != nil && !errors.Is(err, io.EOF) { // what is cut off reads as no record
		return nil, nil, fmt.Errorf("reading %s: %w", file.Name(), err)
	}
	l := &ledger{file: file}
	var newest *position
	for slot := range 2 {
		p, generation, ok := decodeRecord(slots[slot*slotSize:][:slotSize])
		if ok && generation > l.generation {
			newest, l.generation = p, generation
		}
	}
	if newest == nil {
		err := fmt.Errorf("%w: %s holds no whole record", ErrDamaged, file.Name())
		return nil, nil, fault.Hint(err, "move it away: all events in the store will then be delivered, also those that were before")
	}
	return l, newest, nil
}

// createLedger makes a ledger at path that holds p, and syncs it.
func createLedger(path string, p *position) (*ledger, error) {
	temp := path + ".new"
	file, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file}
	_, err = file.WriteAt(make([]byte, 2*slotSize), 0)
	if err == nil {
		err = l.write(p)
	}
	if err == nil {
		err = file.Sync()
	}
	crashPoint("ledger: written")
	if err == nil {
		err = os.Rename(temp, path)
	}
	crashPoint("ledger: named")
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("creating %s: %w", path, err)
	}
	return l, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// write records p.
func (l *ledger) write(p *position) error {
	l.generation++
	l.buf = appendRecord(l.buf[:0], p, l.generation)
	if _, err := l.file.WriteAt(l.buf, int64(l.generation%2)*slotSize); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	return nil
}

// sync makes what was written safe on the disk. It may be called while
// something is being written.
func (l *ledger) sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("syncing the ledger: %w", err)
	}
	return nil
}

func (l *ledger) close() error { return errors.Join(l.sync(), l.file.Close()) }

func appendRecord(buf []byte, p *position, generation uint64) []byte {
	buf = append(buf, make([]byte, recordHead)...)
	runs := 0
	for i, seq := range p.open {
		if i == 0 || seq != p.open[i-1]+1 {
			runs++
		}
	}
	for _, n := range [...]uint64{
		generation,
		p.put, p.putTotals.Events, p.putTotals.Bytes,
		p.taken, p.takenTotals.Events, p.takenTotals.Bytes,
		p.openTotals.Events, p.openTotals.Bytes,
		uint64(runs),
	} {
		buf = binary.BigEndian.AppendUint64(buf, n)
	}
	end := uint64(0)
	for i := 0; i < len(p.open); {
		from := i
		for i++; i < len(p.open) && p.open[i] == p.open[i-1]+1; i++ {
		}
		buf = binary.AppendUvarint(buf, p.open[from]-end)
		buf = binary.AppendUvarint(buf, uint64(i-from))
		end = p.open[i-1]
	}
	return sealRecord(buf)
}

// sealRecord writes the head of a record.
func sealRecord(record []byte) []byte {
	binary.BigEndian.PutUint32(record[4:], uint32(len(record)-recordHead))
	binary.BigEndian.PutUint32(record, crc32.Checksum(record[4:], castagnoli))
	return record
}

func decodeRecord(slot []byte) (p *position, generation uint64, ok bool) {
	length := binary.BigEndian.Uint32(slot[4:])
	if length < recordBody || length > uint32(len(slot)-recordHead) {
		return nil, 0, false
	}
	record := slot[:recordHead+length]
	if crc32.Checksum(record[4:], castagnoli) != binary.BigEndian.Uint32(record) {
		return nil, 0, false
	}
	rest := record[recordHead:]
	next := func() uint64 {
		n := binary.BigEndian.Uint64(rest)
		rest = rest[8:]
		return n
	}
	p = new(position)
	generation = next()
	p.put, p.putTotals = next(), Totals{next(), next()}
	p.taken, p.takenTotals = next(), Totals{next(), next()}
	p.openTotals = Totals{next(), next()}
	end := uint64(0)
	for range next() {
		gap, w := binary.Uvarint(rest)
		n, v := binary.Uvarint(rest[max(0, w):])
		if w <= 0 || v <= 0 || n == 0 || uint64(len(p.open))+n > maxOpen {
			return nil, 0, false
		}
		rest = rest[w+v:]
		for i := range n {
			p.open = append(p.open, end+gap+i)
		}
		end += gap + n - 1
	}
	return p, generation, true
}
