package flumelog

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/snappy/xerial"
	"google.golang.org/protobuf/encoding/protowire"
)

// checkpoint is the channel as it was at some write order.
type checkpoint struct {
	order int64
	queue []pointer
	puts  map[int64][]pointer // of transactions that were open, in the order of the puts
	takes map[int64][]pointer
}

// errNoCheckpoint is what is wrapped when there is none that can be used.
var errNoCheckpoint = errors.New("no usable checkpoint")

// Places in the checkpoint file, which is an array of 64-bit numbers.
const (
	placeVersion = 0
	placeOrder   = 1
	placeSize2   = 2 // in version 2 only
	placeHead2   = 3
	placeMarker  = 4 // 0: it is complete
	placeQueue   = 1029
)

// readCheckpoint reads the checkpoint in a directory. A backup counts only if
// the mark that it was finished is there.
func readCheckpoint(dir string, backup bool) (*checkpoint, error) {
	if backup {
		if _, err := os.Stat(filepath.Join(dir, "backupComplete")); err != nil {
			return nil, noCheckpoint(err)
		}
	}
	words, err := readWords(filepath.Join(dir, "checkpoint"), backup)
	if err != nil {
		return nil, noCheckpoint(err)
	}
	if len(words) <= placeQueue {
		return nil, fmt.Errorf("%w: it has %d numbers", errNoCheckpoint, len(words))
	}
	if words[placeMarker] != 0 {
		return nil, fmt.Errorf("%w: it was being written when Flume was stopped", errNoCheckpoint)
	}
	cp := &checkpoint{order: int64(words[placeOrder])}
	size, head, err := cp.readMeta(filepath.Join(dir, "checkpoint.meta"), words)
	if err != nil {
		return nil, noCheckpoint(err)
	}
	slots := words[placeQueue:]
	if size < 0 || size > int64(len(slots)) || head < 0 || head >= int64(len(slots)) {
		return nil, fmt.Errorf("%w: it has %d events from slot %d on, of %d slots", errNoCheckpoint, size, head, len(slots))
	}
	cp.queue = make([]pointer, size)
	for i := range cp.queue {
		cp.queue[i] = pointer(slots[(head+int64(i))%int64(len(slots))])
	}
	if cp.puts, err = readInflight(filepath.Join(dir, "inflightputs"), cp.order); err != nil {
		return nil, noCheckpoint(err)
	}
	if cp.takes, err = readInflight(filepath.Join(dir, "inflighttakes"), cp.order); err != nil {
		return nil, noCheckpoint(err)
	}
	return cp, nil
}

// noCheckpoint tells what is not there, or not whole, from what may not be read.
func noCheckpoint(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	return fmt.Errorf("%w: %w", errNoCheckpoint, err)
}

// readWords reads the checkpoint file. The one of a backup may be compressed.
func readWords(name string, backup bool) ([]uint64, error) {
	b, err := os.ReadFile(name)
	if backup && errors.Is(err, fs.ErrNotExist) {
		if b, err = os.ReadFile(name + ".snappy"); err == nil {
			b, err = xerial.Decode(b)
		}
	}
	if err != nil {
		return nil, err
	}
	return words(b), nil
}

// words returns bytes as big-endian numbers of 64 bits.
func words(b []byte) []uint64 {
	w := make([]uint64, len(b)/8)
	for i := range w {
		w[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return w
}

// readMeta returns the size of the queue and where its head is.
func (cp *checkpoint) readMeta(name string, words []uint64) (size, head int64, err error) {
	switch _, err := os.Stat(name); {
	case words[placeVersion] == 2 && errors.Is(err, fs.ErrNotExist):
		return int64(int32(words[placeSize2])), int64(int32(words[placeHead2])), nil
	case words[placeVersion] != 3:
		return 0, 0, fmt.Errorf("its version is %d", words[placeVersion])
	}
	var version, order int64
	err = readMessage(name, func(num protowire.Number, v uint64, _ []byte) error {
		switch num {
		case 1:
			version = int64(v)
		case 2:
			order = int64(v)
		case 3:
			size = int64(int32(v))
		case 4:
			head = int64(int32(v))
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, 0, err
	case version != 3:
		return 0, 0, fmt.Errorf("the version of its metadata is %d", version)
	case order != cp.order:
		return 0, 0, fmt.Errorf("its write order is %d, and that of its metadata %d", cp.order, order)
	}
	return size, head, nil
}

// readInflight reads the events of transactions that were open at a checkpoint: an
// MD5 sum, then for each transaction its number, how many there are, and those.
// Flume keeps them in a hash table; the order of their places in the logs is
// that in which they were put.
func readInflight(name string, order int64) (map[int64][]pointer, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 && order == 0 {
		return nil, nil // the checkpoint of a channel that is new
	}
	if len(b) < md5.Size {
		return nil, fmt.Errorf("%s has %d bytes", name, len(b))
	}
	if sum := md5.Sum(b[md5.Size:]); !bytes.Equal(sum[:], b[:md5.Size]) {
		return nil, fmt.Errorf("the checksum of %s does not hold", name)
	}
	open := make(map[int64][]pointer)
	for w := words(b[md5.Size:]); len(w) > 0; {
		if len(w) < 2 || w[1] > uint64(len(w)-2) {
			return nil, fmt.Errorf("%s ends in the middle", name)
		}
		txn, n := int64(w[0]), int(w[1])
		for _, v := range w[2 : 2+n] {
			open[txn] = append(open[txn], pointer(v))
		}
		slices.Sort(open[txn])
		w = w[2+n:]
	}
	return open, nil
}
