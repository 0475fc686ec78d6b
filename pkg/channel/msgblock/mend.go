package msgblock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Mend makes the store that r reports on, which has not changed since, one that
// nats-server opens without losing any more. What is damaged it first copies,
// whole, to the folder aside, which it makes: under the time, the name and, for
// an encrypted block, with its key. Lost sequences are written down as used up,
// so that they are reported once and never used again. Each file is replaced in one step, so that a
// crash leaves a store to which Scan and Mend can be applied again. Afterwards
// r is out of date, but for Read and Lost.
func Mend(ctx context.Context, aside string, r *Report) error {
	if r.Whole() {
		return nil
	}
	m := mender{Report: r, lost: r.Lost(), aside: aside, prefix: time.Now().UTC().Format("20060102T150405.000000000Z-")}
	if err := m.mend(ctx); err != nil {
		return fault.At(fmt.Errorf("mending the store: %w", err), r.stream.dir)
	}
	return nil
}

type mender struct {
	*Report
	lost   Ranges
	aside  string
	prefix string
}

func (m *mender) mend(ctx context.Context) error {
	if err := os.MkdirAll(m.aside, 0o700); err != nil {
		return err
	}
	// Where the stream had come to, which index.db may be the only one to know,
	// is written down first; then index.db goes, before what it describes does.
	keeper := m.keeper()
	if err := m.mendBlock(keeper, keeper); err != nil {
		return err
	}
	index := filepath.Join(m.dir, indexName)
	if _, damaged := m.files[index]; !damaged {
		if err := remove(index); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		if err := m.replace(name, m.files[name]); err != nil {
			return err
		}
	}
	for _, b := range m.Blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.Index == keeper {
			continue
		}
		if err := m.mendBlock(b.Index, keeper); err != nil {
			return err
		}
	}
	return nil
}

// keeper is the index of the last block of which something stays, else of the
// last.
func (m *mender) keeper() uint32 {
	for _, b := range slices.Backward(m.Blocks) {
		if b.Last > 0 {
			return b.Index
		}
	}
	if n := len(m.Blocks); n > 0 {
		return m.Blocks[n-1].Index
	}
	return 1
}

// replace sets a file aside and writes what it should be, or removes it.
func (m *mender) replace(name string, content []byte) error {
	if err := m.setAside(name); err != nil {
		return err
	}
	if content == nil {
		return remove(name)
	}
	return writeFile(name, content)
}

// longestNote is the longest range of lost messages that is written down one by
// one; of a longer one, which no block can have held, only the end is.
const longestNote = 1 << 20

// notes returns the sequences that are to be written down in a block as used
// up: what was lost since the block before it, and in the last block where the
// stream had come to.
func (m *mender) notes(index, keeper uint32) (seqs []uint64) {
	from, to := uint64(1), uint64(0)
	for _, b := range m.Blocks {
		if b.Index < index {
			from = max(from, b.Last+1)
		} else if b.Index == index {
			to = b.Last
		}
	}
	if index == keeper {
		to = m.floor
	}
	for _, r := range m.lost.within(from, to) {
		if r.Last-r.First >= longestNote {
			r.First = r.Last
		}
		for seq := r.First; seq <= r.Last; seq++ {
			seqs = append(seqs, seq)
		}
	}
	if index == keeper && m.floor > m.served.Last && (len(seqs) == 0 || seqs[len(seqs)-1] < m.floor) {
		seqs = append(seqs, m.floor)
	}
	return seqs
}

// mendBlock writes a block anew: what is whole of it, in its order, and a
// record for each lost message that says that its sequence was used up.
func (m *mender) mendBlock(index, keeper uint32) error {
	notes := m.notes(index, keeper)
	if m.clean[index] && len(notes) == 0 || index == keeper && len(m.Blocks) == 0 && len(notes) == 0 {
		return nil
	}
	var kept []byte
	check := m.checker(index)
	at := m.served.Time
	note := func(before uint64) {
		for len(notes) > 0 && notes[0] < before {
			kept = append(kept, check.skipRecord(notes[0], at)...)
			notes = notes[1:]
		}
	}
	if !m.gone[index] && len(m.Blocks) > 0 {
		block, err := m.readBlock(index, nil)
		if err != nil {
			return err
		}
		kept = make([]byte, 0, len(block)+emptyLen*len(notes))
		for p := range check.walk(block) {
			if p.lost {
				continue
			}
			if p.record.kind != tombstone {
				note(p.record.seq)
				at = p.record.time
			}
			kept = append(kept, p.raw...)
		}
	}
	note(math.MaxUint64)
	if !m.clean[index] {
		if err := m.setAside(m.block(index)); err != nil {
			return err
		}
		if err := m.setAside(m.key(index)); err != nil { // without it, the copy could not be read
			return err
		}
	}
	if len(kept) == 0 {
		// The block before its key: a block without a key is taken for plain text.
		return errors.Join(remove(m.block(index)), remove(m.key(index)))
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	if key := m.stream.keys[index]; key == nil { // so nats-server takes it, and encrypts it
		if err := remove(m.key(index)); err != nil {
			return err
		}
	} else if err := key.crypt(kept); err != nil {
		return err
	}
	return writeFile(m.block(index), kept)
}

// setAside copies a file, if it is there, to the folder aside.
func (m *mender) setAside(name string) error {
	from, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	return write(filepath.Join(m.aside, m.prefix+filepath.Base(name)), from)
}

// writeFile replaces a file in one step.
func writeFile(name string, content []byte) error { return write(name, bytes.NewReader(content)) }

func write(name string, content io.Reader) error {
	// nats-server passes over what does not end in .blk.
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(name+".tmp", name)
	}
	if err != nil {
		return errors.Join(err, remove(name+".tmp"))
	}
	return syncDir(filepath.Dir(name))
}

// remove removes a file, if it is there.
func remove(name string) error {
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
