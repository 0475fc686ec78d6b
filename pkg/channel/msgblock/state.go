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
	case inf == nil && sum == nil:
		return nil // the stream has not been created, or is to be created again
	case keyFile != nil && s.meta == nil && s.opt.Key != nil:
		r.files[infName], r.files[sumName], r.files[keyName] = nil, nil, nil
		return nil // said by openKeys
	case len(inf) == 0:
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

// checkIndex reads from index.db where the stream began and ended when it was
// written. It may have gone on since, but has not been trimmed: nats-server
// removes index.db then. It makes it anew where it does not trust it.
func (r *Report) checkIndex() error {
	name := filepath.Join(r.dir, indexName)
	file, err := readFile(name)
	if err != nil || file == nil {
		return err
	}
	first, last, err := r.indexRange(file)
	if err != nil {
		r.Damage = append(r.Damage, Damage{File: name, Why: err.Error(), Restored: true})
		r.files[name] = nil
		return nil
	}
	r.indexed = Range{first, last}
	return nil
}

func (r *Report) indexRange(file []byte) (first, last uint64, err error) {
	if len(file) < shortestIndex {
		return 0, 0, errors.New("it is cut off")
	}
	body := file[:len(file)-checksumLen]
	hash := newHash(r.stream.name)
	hash.Write(body)
	if string(hash.Sum(nil)) != string(file[len(body):]) {
		return 0, 0, errors.New("it does not match its checksum")
	}
	if r.stream.opt.Key != nil && r.stream.meta == nil {
		return 0, 0, errors.New("it cannot be decrypted")
	}
	if r.stream.meta != nil {
		if body, err = r.stream.meta.open(body); err != nil {
			return 0, 0, errors.New("it cannot be decrypted")
		}
	}
	if len(body) < 2 || body[0] != indexMagic {
		return 0, 0, errNoIndex
	}
	var fields [5]uint64 // messages, bytes, first sequence, its time, last sequence
	at := 2              // behind the magic byte and the version
	for i := range fields {
		value, n := binary.Uvarint(body[at:])
		if n <= 0 {
			return 0, 0, errNoIndex
		}
		fields[i] = value
		at += n
	}
	return fields[2], fields[4], nil
}
