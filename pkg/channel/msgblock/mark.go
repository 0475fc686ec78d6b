package msgblock

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

// Mark describes blocks that were found whole, so that the next Scan need not
// read them. It vouches for what was read: bytes that rot in a block after it
// was marked are seen by a Scan without a mark, and by the checksum of the
// message when it is read. What was written after the mark is always read: a
// block that grew or was written anew has another size, time or end.
type Mark struct {
	Blocks []Block `json:"blocks"`
}

// Mark returns the mark of the blocks in which Scan found nothing amiss.
func (r *Report) Mark() (m Mark) {
	for _, b := range r.Blocks {
		if r.clean[b.Index] {
			m.Blocks = append(m.Blocks, b)
		}
	}
	return m
}

// ReadMark reads what Write wrote to file. A file that is not there or not
// whole is the empty mark: then all is read.
func ReadMark(file string) (m Mark, err error) {
	content, err := readFile(file)
	if err != nil {
		return m, fmt.Errorf("reading the mark of what was verified: %w", err)
	}
	sum, text, _ := bytes.Cut(content, []byte("\n"))
	if string(sum) != checksum(text) || json.Unmarshal(text, &m) != nil {
		return Mark{}, nil
	}
	return m, nil
}

// Write writes the mark to file, which is either the old or the new one at any
// moment.
func (m Mark) Write(file string) error {
	text, err := json.Marshal(m)
	if err == nil {
		err = writeFile(file, slices.Concat([]byte(checksum(text)+"\n"), text))
	}
	if err != nil {
		return fmt.Errorf("writing the mark of what was verified: %w", err)
	}
	return nil
}

func checksum(text []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)))
}

func (m Mark) block(index uint32) (Block, bool) {
	at := slices.IndexFunc(m.Blocks, func(b Block) bool { return b.Index == index })
	if at < 0 {
		return Block{}, false
	}
	return m.Blocks[at], true
}

// describe returns what can be told of a block without reading it.
func describe(index uint32, name string) (b Block, err error) {
	f, err := os.Open(name)
	if err != nil {
		return b, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return b, err
	}
	tail := make([]byte, min(info.Size(), checksumLen))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return b, err
	}
	return Block{Index: index, Size: info.Size(), Modified: info.ModTime().UTC(), Tail: hex.EncodeToString(tail)}, nil
}

func (b Block) same(now Block) bool {
	return b.Size == now.Size && b.Modified.Equal(now.Modified) && b.Tail == now.Tail
}
