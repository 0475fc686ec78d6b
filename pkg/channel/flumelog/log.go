package flumelog

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

// What the first byte of a record says.
const (
	opNoop   = 0x00 // blanked by Flume's integrity tool
	opRecord = 0x7F
	opEnd    = 0x80 // also fills the rest of the file
)

// header2 is the length of the header of a log of version 2.
const header2 = 24

// logFile is one log. It reads through a window on the file.
type logFile struct {
	path    string
	dir     int // number of the data directory
	file    *os.File
	size    int64
	version int
	meta    meta
	key     cipher.Block // nil: it is not encrypted

	pos    int64 // where next reads
	window []byte
	at     int64 // where the window lies
	plain  []byte
}

var logName = regexp.MustCompile(`^log-[0-9]+$`)

// logNames returns the paths of the logs in a data directory by their numbers.
func logNames(dir string) (map[int32]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for logs: %w", err)
	}
	names := make(map[int32]string)
	for _, e := range entries {
		if !logName.MatchString(e.Name()) {
			continue
		}
		id, err := strconv.ParseInt(e.Name()[len("log-"):], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("looking for logs: %s has no number that a log can have", filepath.Join(dir, e.Name()))
		}
		if other, ok := names[int32(id)]; ok {
			return nil, fmt.Errorf("%s and %s are logs of the same number", other, filepath.Join(dir, e.Name()))
		}
		names[int32(id)] = filepath.Join(dir, e.Name())
	}
	return names, nil
}

// openLog opens a log and reads its metadata. It returns nil for a log that has
// nothing in it. Metadata that cannot be read are damage; the log is then taken
// for one that is not encrypted.
func openLog(path string, id int32, dir int, keys func(string) ([]byte, error)) (*logFile, []*Damage, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a log: %w", err)
	}
	l := &logFile{path: path, dir: dir, file: file, version: 3}
	damage, err := l.open(id, keys)
	if err != nil || l.size == 0 {
		return nil, damage, errors.Join(err, file.Close())
	}
	return l, damage, nil
}

func (l *logFile) open(id int32, keys func(string) ([]byte, error)) ([]*Damage, error) {
	info, err := l.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	if l.size = info.Size(); l.size == 0 {
		return nil, nil
	}
	var damage []*Damage
	l.meta, err = readMeta(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && l.openVersion2():
	case err != nil:
		damage = append(damage, &Damage{l.path + ".meta", 0, err})
		l.meta = meta{id: id}
	}
	if l.meta.id != id {
		damage = append(damage, &Damage{l.path, 0, fmt.Errorf("the log says that its number is %d", l.meta.id)})
	}
	if err := l.openKey(keys); err != nil {
		return nil, fault.At(err, l.path)
	}
	return damage, nil
}

// openVersion2 reads the header of a log of version 2 and reports whether it is one.
func (l *logFile) openVersion2() bool {
	h, err := l.bytes(0, header2)
	if err != nil || binary.BigEndian.Uint32(h) != 2 {
		return false
	}
	l.version, l.pos = 2, header2
	l.meta = meta{
		id:       int32(binary.BigEndian.Uint32(h[4:])),
		position: int64(binary.BigEndian.Uint64(h[8:])),
		order:    int64(binary.BigEndian.Uint64(h[16:])),
	}
	return true
}

// openKey gets the key of an encrypted log, and checks that it opens something.
func (l *logFile) openKey(keys func(string) ([]byte, error)) error {
	alias := l.meta.keyAlias
	if l.meta.cipher == "" {
		return nil
	}
	if l.meta.cipher != "AESCTRNOPADDING" {
		return fmt.Errorf("the log is encrypted by the provider %q; only AESCTRNOPADDING is known", l.meta.cipher)
	}
	if len(l.meta.iv) != aes.BlockSize {
		return fmt.Errorf("the log's encryption has an initialization vector of %d bytes; want %d", len(l.meta.iv), aes.BlockSize)
	}
	if keys == nil {
		return fault.Hint(fmt.Errorf("the log is encrypted with the key %q, and no keys are given", alias),
			"give the channel's encryption.keyProvider properties")
	}
	key, err := keys(alias)
	if err != nil {
		return fmt.Errorf("getting the key %q: %w", alias, err)
	}
	if l.key, err = aes.NewCipher(key); err != nil {
		return fmt.Errorf("using the key %q: %w", alias, err)
	}
	op, err := l.bytes(0, 1)
	if err != nil || op[0] != opRecord {
		return err
	}
	if _, err := l.read(0); !isDamage(err) {
		return err
	}
	if whole, err := l.nextWhole(0); err != nil || whole < l.size {
		return err
	}
	return fault.Hint(fmt.Errorf("the key %q opens no record of the log", alias),
		"give the key that the alias stood for when the log was written")
}

// seek goes to where the replay after a checkpoint of that write order starts. A
// log's metadata have the place for the last two checkpoints.
func (l *logFile) seek(order int64) {
	var pos int64
	switch {
	case l.meta.order <= order:
		pos = l.meta.position
	case l.meta.backupOrder <= order:
		pos = l.meta.backupPosition
	}
	if pos > l.pos && pos <= l.size {
		l.pos = pos
	}
}

// next returns the next whole record and where it stands. Damage before it is
// appended to damage. It returns io.EOF at the log's end.
func (l *logFile) next(damage *[]*Damage) (record, int64, error) {
	for l.pos < l.size {
		at := l.pos
		op, err := l.bytes(at, 1)
		if err != nil {
			return record{}, 0, err
		}
		switch op[0] {
		case opRecord:
			var rec placed
			if rec, err = l.read(at); err == nil {
				l.pos = rec.end
				return rec.record, at, nil
			}
			if isDamage(err) {
				err = l.skip(damage, at, err)
			}
		case opEnd:
			err = l.skipFill(damage)
		case opNoop:
			err = l.skipBlank(damage)
		default:
			err = l.skip(damage, at, fmt.Errorf("no record starts with %#02x", op[0]))
		}
		if err != nil {
			return record{}, 0, err
		}
	}
	return record{}, 0, io.EOF
}

// skip goes to the next whole record after damage at an offset.
func (l *logFile) skip(damage *[]*Damage, at int64, why error) error {
	var d *Damage
	if errors.As(why, &d) {
		why = d.Err
	}
	*damage = append(*damage, &Damage{l.path, at, why})
	var err error
	l.pos, err = l.nextWhole(at + 1)
	return err
}

// skipFill goes to the end of the file, past what fills it. Where something
// else follows, a piece of the log has not reached the disk.
func (l *logFile) skipFill(damage *[]*Damage) error {
	end, err := l.span(l.pos, func(b byte) bool { return b == opEnd || b == 0 })
	if err != nil || end == l.size {
		l.pos = end
		return err
	}
	return l.skip(damage, l.pos, fmt.Errorf("the log ends here, and something else follows at %d", end))
}

// skipBlank goes past a record that Flume's integrity tool has blanked, or
// past zeros that the file system left where nothing was written.
func (l *logFile) skipBlank(damage *[]*Damage) error {
	at := l.pos
	end, err := l.span(at, func(b byte) bool { return b == 0 })
	if err != nil || end == l.size {
		l.pos = end
		return err
	}
	if l.version == 3 && end-at < 5 {
		b, err := l.bytes(at, 5)
		if err != nil {
			return l.skip(damage, at, err)
		}
		if n := int64(binary.BigEndian.Uint32(b[1:])); n > 0 && at+5+n <= l.size {
			*damage = append(*damage, &Damage{l.path, at, errBlanked})
			l.pos = at + 5 + n
			return nil
		}
	}
	return l.skip(damage, at, fmt.Errorf("%d bytes of zeros", end-at))
}

var errBlanked = errors.New("the record was blanked by Flume's integrity tool")

// span returns where the bytes end that is holds for.
func (l *logFile) span(at int64, is func(byte) bool) (int64, error) {
	for at < l.size {
		b, err := l.some(at)
		if err != nil {
			return 0, err
		}
		for i, c := range b {
			if !is(c) {
				return at + int64(i), nil
			}
		}
		at += int64(len(b))
	}
	return at, nil
}

// nextWhole returns the offset of the next whole record from an offset on, or
// the file's size.
func (l *logFile) nextWhole(at int64) (int64, error) {
	for at < l.size {
		b, err := l.some(at)
		if err != nil {
			return 0, err
		}
		i := bytes.IndexByte(b, opRecord)
		if i < 0 {
			at += int64(len(b))
			continue
		}
		at += int64(i)
		if _, err := l.read(at); !isDamage(err) {
			return at, err
		}
		at++
	}
	return l.size, nil
}

// placed is a record with its place.
type placed struct {
	record
	end     int64 // where the next one starts
	payload int64 // where what is encrypted starts
	bodyAt  int64 // of a put of version 3: where its message starts in the payload
	bodyLen int64
	event   event.Event // of a put of version 2
}

// read reads the record at an offset. Of a put of version 3 it reads the head
// only, so that bodies cost no memory. What is wrong with a record is a Damage.
func (l *logFile) read(at int64) (placed, error) {
	op, err := l.bytes(at, 1)
	switch {
	case err != nil:
		return placed{}, err
	case op[0] == opNoop:
		return placed{}, &Damage{l.path, at, errBlanked}
	case op[0] != opRecord:
		return placed{}, &Damage{l.path, at, fmt.Errorf("no record starts with %#02x", op[0])}
	case l.version == 2:
		return l.read2(at)
	}
	b, err := l.bytes(at+1, 4)
	if err != nil {
		return placed{}, err
	}
	n := int64(binary.BigEndian.Uint32(b))
	if at+5+n > l.size {
		return placed{}, &Damage{l.path, at, fmt.Errorf("the record has %d bytes, and the file ends after %d", n, l.size-at-5)}
	}
	head, err := l.decrypted(at+5, min(n, headMost))
	if err != nil {
		return placed{}, err
	}
	p := placed{end: at + 5 + n, payload: at + 5}
	p.record, p.bodyAt, p.bodyLen, err = decodeHead(head, n)
	if err != nil {
		return placed{}, &Damage{l.path, at, err}
	}
	return p, nil
}

func (l *logFile) read2(at int64) (placed, error) {
	most := l.size - at - 1
	for n := min(most, 512); ; {
		b, err := l.bytes(at+1, n)
		if err != nil {
			return placed{}, err
		}
		rec, e, d := decode2(b)
		if d.err == nil {
			return placed{record: rec, end: at + 1 + d.at, event: e}, nil
		}
		if d.need <= n || d.need > most {
			return placed{}, &Damage{l.path, at, d.err}
		}
		n = min(most, max(d.need, 2*n))
	}
}

// event reads the event of the put at an offset.
func (l *logFile) event(at int64) (event.Event, error) {
	p, err := l.read(at)
	if err != nil {
		return event.Event{}, err
	}
	if p.kind != put {
		return event.Event{}, &Damage{l.path, at, errors.New("an event should stand here, and another record does")}
	}
	if l.version == 2 {
		return p.event, nil
	}
	b, err := l.decrypted(p.payload, p.end-p.payload)
	if err != nil {
		return event.Event{}, err
	}
	if b[len(b)-1] != 0 {
		return event.Event{}, &Damage{l.path, at, errors.New("the record has no footer")}
	}
	e, err := decodePut(b[p.bodyAt : p.bodyAt+p.bodyLen])
	if err != nil {
		return event.Event{}, &Damage{l.path, at, err}
	}
	return e, nil
}

func isDamage(err error) bool {
	var d *Damage
	return errors.As(err, &d)
}

// decrypted returns bytes of a payload, from its start on, as they were before
// they were encrypted. Flume starts the key stream anew for each record.
func (l *logFile) decrypted(at, n int64) ([]byte, error) {
	b, err := l.bytes(at, n)
	if err != nil || l.key == nil {
		return b, err
	}
	l.plain = append(l.plain[:0], b...)
	cipher.NewCTR(l.key, l.meta.iv).XORKeyStream(l.plain, l.plain)
	return l.plain, nil
}

const windowSize = 64 << 10

// bytes returns n bytes from an offset on; they are valid until the next call.
// It is a Damage if the file ends before.
func (l *logFile) bytes(at, n int64) ([]byte, error) {
	if at < 0 || at+n > l.size {
		return nil, &Damage{l.path, at, errCut}
	}
	if at < l.at || at+n > l.at+int64(len(l.window)) {
		size := min(max(n, windowSize), l.size-at)
		if int64(cap(l.window)) < size || cap(l.window) > windowSize && size <= windowSize {
			l.window = make([]byte, size)
		}
		l.window, l.at = l.window[:size], at
		if _, err := l.file.ReadAt(l.window, at); err != nil {
			l.window = l.window[:0]
			return nil, fmt.Errorf("reading a log: %w", err)
		}
	}
	return l.window[at-l.at : at-l.at+n], nil
}

// some returns what the window has from an offset on, at least one byte.
func (l *logFile) some(at int64) ([]byte, error) {
	if _, err := l.bytes(at, 1); err != nil {
		return nil, err
	}
	return l.window[at-l.at:], nil
}
