package flumelog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"google.golang.org/protobuf/encoding/protowire"
)

// meta is what Flume keeps beside a log: where the replay may start after each of
// the last two checkpoints, and how the log is encrypted.
type meta struct {
	id                          int32
	position, order             int64
	backupPosition, backupOrder int64
	cipher, keyAlias            string // empty: it is not encrypted
	iv                          []byte
}

// metaMost is the most that metadata may have, in bytes.
const metaMost = 1 << 20

// readMeta reads the metadata of a log. Flume replaces them by renaming; where
// it was stopped between two renames, the new or the old ones are there. The
// error wraps fs.ErrNotExist if there are none at all.
func readMeta(log string) (meta, error) {
	var errs []error
	for _, suffix := range []string{".meta", ".meta.tmp", ".meta.old"} {
		m, err := readMetaFile(log + suffix)
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return meta{}, fmt.Errorf("the log has no metadata: %w", fs.ErrNotExist)
	}
	return meta{}, errs[0]
}

func readMetaFile(name string) (meta, error) {
	var m meta
	var version int32
	err := readMessage(name, func(num protowire.Number, v uint64, bytes []byte) error {
		switch num {
		case 1:
			version = int32(v)
		case 2:
			m.id = int32(v)
		case 3:
			m.position = int64(v)
		case 4:
			m.order = int64(v)
		case 5:
			return m.encryption(bytes)
		case 6:
			m.backupPosition = int64(v)
		case 7:
			m.backupOrder = int64(v)
		}
		return nil
	})
	if err == nil && version != 3 {
		err = fmt.Errorf("the metadata are of version %d; want 3", version)
	}
	return m, err
}

func (m *meta) encryption(message []byte) error {
	err := fields(message, func(num protowire.Number, _ uint64, bytes []byte) {
		switch num {
		case 1:
			m.cipher = string(bytes)
		case 2:
			m.keyAlias = string(bytes)
		case 3:
			m.iv = bytes
		}
	})
	if err == nil && m.cipher == "" {
		err = errors.New("the log's encryption has no cipher")
	}
	return err
}

// readMessage reads a file that is one message with its length before it.
func readMessage(name string, each func(num protowire.Number, v uint64, bytes []byte) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, metaMost))
	if err != nil {
		return err
	}
	message, rest, err := delimited(b)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("%d bytes are not one whole message", len(b))
	}
	var inner error
	err = fields(message, func(num protowire.Number, v uint64, bytes []byte) {
		inner = errors.Join(inner, each(num, v, bytes))
	})
	return errors.Join(err, inner)
}
