package channel

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func position1() *position {
	return &position{
		put: 10, putTotals: Totals{100, 1000},
		taken: 9, takenTotals: Totals{90, 900},
		open: []uint64{3, 4, 7}, openTotals: Totals{30, 300},
	}
}

func newLedger(t *testing.T) (*ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	if _, _, err := openLedger(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("opened one that is not there: %v", err)
	}
	l, err := createLedger(path, position1())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.file.Close() })
	return l, path
}

func wantPosition(t *testing.T, path string, want *position) {
	t.Helper()
	l, got, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestLedgerKeepsTheNewestPosition(t *testing.T) {
	l, path := newLedger(t)
	wantPosition(t, path, position1())
	for n := range uint64(5) {
		p := position1()
		p.put += n
		if err := l.write(p); err != nil {
			t.Fatal(err)
		}
		wantPosition(t, path, p)
	}
}

// TestLedgerOutlivesATornWrite damages the slot that was written last, in every
// way a write can be torn: the record before counts.
func TestLedgerOutlivesATornWrite(t *testing.T) {
	l, path := newLedger(t)
	before, torn := position1(), position1()
	before.put, torn.put = 11, 12
	for _, p := range []*position{before, torn} {
		if err := l.write(p); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := int(l.generation%2) * slotSize
	for n := range len(l.buf) {
		damaged := append([]byte(nil), whole...)
		damaged[at+n] ^= 1
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		wantPosition(t, path, before)
	}
}

func TestLedgerWithoutAWholeRecordIsDamaged(t *testing.T) {
	_, path := newLedger(t)
	for _, size := range []int{2 * slotSize, slotSize, 10, 0} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := openLedger(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes of zeros: got %v; want that it is damaged", size, err)
		}
	}
}

// TestLedgerThatIsCutOff has the slot lost that was written last, or is behind the
// other.
func TestLedgerThatIsCutOff(t *testing.T) {
	l, path := newLedger(t)
	if l.generation%2 == 0 { // the next is written to the second slot, the one after that to the first
		t.Fatalf("the first record has the generation %d", l.generation)
	}
	before, cut := position1(), position1()
	before.put, cut.put = 11, 12
	for _, p := range []*position{before, cut} {
		if err := l.write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, slotSize+10); err != nil {
		t.Fatal(err)
	}
	wantPosition(t, path, before)
}

func TestRecordFitsAndComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &position{put: rapid.Uint64().Draw(t, "put"), openTotals: Totals{rapid.Uint64().Draw(t, "events"), 7}}
		// As scattered as can be: gaps of many bytes, all of one message.
		seq := uint64(0)
		most := rapid.SampledFrom([]int{3, maxOpen}).Draw(t, "most")
		widest := rapid.SampledFrom([]uint64{1, 2, 1 << 40}).Draw(t, "widest")
		step := rapid.Uint64Range(1, widest)
		for range rapid.IntRange(0, most).Draw(t, "open") {
			seq += step.Draw(t, "step")
			p.open = append(p.open, seq)
		}
		p.taken = seq
		record := appendRecord(nil, p, 5)
		if len(record) > slotSize {
			t.Fatalf("a record of %d bytes; a slot has %d", len(record), slotSize)
		}
		got, generation, ok := decodeRecord(append(record, make([]byte, slotSize-len(record))...))
		if !ok || generation != 5 || !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v, %d, %v; want %+v, 5, true", got, generation, ok, p)
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(appendRecord(nil, position1(), 1)[recordHead:])
	f.Fuzz(func(t *testing.T, body []byte) {
		// A checksum that fits, so that the fuzzer gets behind it.
		if len(body) > slotSize-recordHead {
			t.Skip("no slot holds so much")
		}
		slot := sealRecord(append(make([]byte, recordHead), body...))
		p, _, ok := decodeRecord(append(slot, make([]byte, slotSize-len(slot))...))
		if ok && len(p.open) > maxOpen {
			t.Errorf("%d open messages", len(p.open))
		}
	})
}
