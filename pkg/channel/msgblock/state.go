package msgblock

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/bits"
	"path/filepath"
)

// checkMeta checks the stream's configuration and its checksum, which
// nats-server demands both: else it says so in its log and goes on without the
// stream.
func (r *Report) checkMeta() error {
	s := r.stream
	infName, sumName := filepath.Join(s.dir, metaName), filepath.Join(s.dir, sumName)
	inf, err := readFile(infName)
	if err != nil {
		return err
	}
	sum, err := readFile(sumName)
	if err != nil {
		return err
	}
	keyName := filepath.Join(s.dir, metaKeyName)
	keyFile, err := readFile(keyName)
	if err != nil {
		return err
	}
	setAside := func(file, why string) {
		r.Damage = append(r.Damage, Damage{File: file, Why: why + "; the stream is to be created again"})
		r.files[infName], r.files[sumName] = nil, nil
	}
	switch {
	case inf == nil && sum == nil && keyFile == nil && len(r.keyed()) == 0:
		return nil // a store that has just been made, or has been set aside
	case keyFile != nil && s.meta == nil && s.opt.Key != nil:
		r.files[infName], r.files[sumName], r.files[keyName] = nil, nil, nil
		return nil // said by openKeys
	case inf == nil || len(inf) == 0:
		setAside(infName, "the file is gone or empty")
		return nil
	}
	hash := newHash(s.name)
	digest := func() string {
		hash.Reset()
		hash.Write(inf)
		return hex.EncodeToString(hash.Sum(nil))
	}
	right := digest()
	readable := json.Valid(inf)
	if s.meta != nil {
		_, err := s.meta.open(inf)
		readable = err == nil
	}
	switch {
	case right == string(sum) && readable:
	case right == string(sum):
		setAside(infName, "it cannot be decrypted")
	case readable && (len(sum) != len(right) || s.meta != nil || differing(right, string(sum)) <= 2):
		r.Damage = append(r.Damage, Damage{File: sumName, Why: "it is not the checksum of " + metaName, Restored: true})
		r.files[sumName] = []byte(right)
	case flipBit(inf, func() bool { return digest() == string(sum) }):
		r.Damage = append(r.Damage, Damage{File: infName, Why: "it does not match its checksum", Restored: true})
		r.files[infName] = inf
	default:
		setAside(infName, "it does not match its checksum")
	}
	return nil
}

// keyed returns what key files of blocks could be opened.
func (r *Report) keyed() map[uint32]*key { return r.stream.keys }

// differing counts the bits in which two texts of one length differ.
func differing(a, b string) (n int) {
	for i := range len(a) {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

const (
	indexMagic    = 11
	shortestIndex = 32
)

var errNoIndex = errors.New("it is not what nats-server writes")

// checkIndex reads from index.db up to where the stream had come. nats-server
// makes it anew from the blocks where it does not trust it.
func (r *Report) checkIndex() error {
	name := filepath.Join(r.dir, indexName)
	file, err := readFile(name)
	if err != nil || file == nil {
		return err
	}
	last, err := r.indexLast(file)
	if err != nil {
		r.Damage = append(r.Damage, Damage{File: name, Why: err.Error(), Restored: true})
		r.files[name] = nil
		return nil
	}
	r.floor = max(r.floor, last)
	return nil
}

func (r *Report) indexLast(file []byte) (last uint64, err error) {
	if len(file) < shortestIndex {
		return 0, errors.New("it is cut off")
	}
	body := file[:len(file)-checksumLen]
	hash := newHash(r.stream.name)
	hash.Write(body)
	if string(hash.Sum(nil)) != string(file[len(body):]) {
		return 0, errors.New("it does not match its checksum")
	}
	if r.stream.meta != nil {
		if body, err = r.stream.meta.open(body); err != nil {
			return 0, errors.New("it cannot be decrypted")
		}
	}
	if len(body) < 2 || body[0] != indexMagic {
		return 0, errNoIndex
	}
	// magic, version, messages, bytes, first sequence, its time, last sequence
	at := 2
	for field := range 5 {
		value, n := binary.Uvarint(body[at:])
		if n <= 0 {
			return 0, errNoIndex
		}
		if at += n; field == 4 {
			last = value
		}
	}
	return last, nil
}
