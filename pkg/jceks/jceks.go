// Package jceks reads secret keys from Java key stores of the type JCEKS, as
// "keytool -genseckey -storetype JCEKS" makes them. Flume's file channel keeps
// the keys of its encrypted logs in one.
//
// A store is a list of entries and a SHA-1 digest over the store's password and
// all of it. A secret key is a javax.crypto.SealedObject in Java's own
// serialization, sealed with PBEWithMD5AndTripleDES under the key's password.
// Private keys and certificates may stand beside it; they are passed over.
//
// Nothing but a secret key is read, and nothing is ever written. The format
// protects little by today's measure: MD5, SHA-1 and triple DES are what Java
// uses here, not a choice of this package.
package jceks

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/flumekit/flumekit/pkg/fault"
)

// What the errors of Read and SecretKey wrap, for callers that branch.
var (
	ErrFormat   = errors.New("not a JCEKS key store")
	ErrDamaged  = errors.New("damaged key store")
	ErrPassword = errors.New("wrong password")
	ErrNoKey    = errors.New("no such secret key")
)

// MaxSize is the largest store that Read takes, in bytes.
const MaxSize = 16 << 20

const (
	magicJCEKS = 0xCECECECE
	magicJKS   = 0xFEEDFEED

	// whitener is what Java hashes between the password and the store.
	whitener = "Mighty Aphrodite"
)

// Tags of a store's entries.
const (
	privateKeyEntry  = 1
	certificateEntry = 2
	secretKeyEntry   = 3
)

// Store is a key store that has been read. It is safe for concurrent use.
type Store struct {
	sealed map[string]sealedKey
	others []string
}

// Read reads a store and checks it against its password. Its errors wrap
// ErrFormat for what is not a JCEKS store at all, ErrDamaged for one whose
// entries cannot be told apart, and ErrPassword when the entries are whole but
// their digest is not that of this password: it is wrong, or a byte was changed.
func Read(r io.Reader, password []byte) (*Store, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the key store: %w", err)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", ErrFormat, MaxSize)
	}
	if err := checkMagic(data); err != nil {
		return nil, err
	}
	if len(data) < 12+sha1.Size {
		return nil, fmt.Errorf("%w: it ends after %d bytes", ErrDamaged, len(data))
	}
	body, digest := data[:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	s, err := readEntries(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	h := sha1.New()
	h.Write(utf16Bytes(password))
	io.WriteString(h, whitener)
	h.Write(body)
	if subtle.ConstantTimeCompare(h.Sum(nil), digest) == 0 {
		return nil, fault.Hint(fmt.Errorf("%w for the key store, or its contents were changed", ErrPassword),
			"give the password that keytool -list -storetype JCEKS accepts")
	}
	return s, nil
}

func checkMagic(data []byte) error {
	switch {
	case len(data) < 4:
		return fmt.Errorf("%w: it has %d bytes", ErrFormat, len(data))
	case binary.BigEndian.Uint32(data) == magicJCEKS:
		return nil
	case binary.BigEndian.Uint32(data) == magicJKS:
		return fault.Hint(fmt.Errorf("%w: it is of type JKS, which holds no secret keys", ErrFormat), "use a store of type JCEKS")
	case data[0] == 0x30:
		return fault.Hint(fmt.Errorf("%w: it looks like PKCS12", ErrFormat),
			"convert it: keytool -importkeystore -srckeystore FILE -destkeystore NEW -deststoretype JCEKS")
	}
	return fmt.Errorf("%w: it starts with %#08x", ErrFormat, binary.BigEndian.Uint32(data))
}

// utf16Bytes returns a password as Java hashes it: its chars, big-endian.
func utf16Bytes(password []byte) []byte {
	var out []byte
	for _, c := range utf16.Encode([]rune(string(password))) {
		out = binary.BigEndian.AppendUint16(out, c)
	}
	return out
}

func readEntries(body []byte) (*Store, error) {
	d := &decoder{data: body, at: 4}
	version := d.uint32()
	if version != 1 && version != 2 {
		return nil, fmt.Errorf("its version is %d; 1 and 2 are known", version)
	}
	s := &Store{sealed: make(map[string]sealedKey)}
	for range d.uint32() {
		if d.err != nil {
			break
		}
		s.readEntry(d, version)
	}
	if d.err == nil && d.at != len(body) {
		d.fail("%d bytes follow the last entry", len(body)-d.at)
	}
	return s, d.err
}

func (s *Store) readEntry(d *decoder, version uint32) {
	tag := d.uint32()
	alias := strings.ToLower(d.utf())
	d.uint64() // when it was made
	switch tag {
	case privateKeyEntry:
		d.bytes(d.uint32())
		for range d.uint32() {
			if d.err != nil {
				return
			}
			d.certificate(version)
		}
		s.others = append(s.others, alias)
	case certificateEntry:
		d.certificate(version)
		s.others = append(s.others, alias)
	case secretKeyEntry:
		object := d.object()
		if d.err != nil {
			return
		}
		key, err := sealedKeyOf(object)
		if err != nil {
			d.fail("%q: %w", alias, err)
			return
		}
		s.sealed[alias] = key
	default:
		d.fail("an entry has the unknown tag %d", tag)
	}
}

// certificate passes over one.
func (d *decoder) certificate(version uint32) {
	if version == 2 {
		d.utf()
	}
	d.bytes(d.uint32())
}

// Aliases returns the names of the secret keys, sorted, in lower case as Java
// keeps them.
func (s *Store) Aliases() []string {
	var all []string
	for alias := range s.sealed {
		all = append(all, alias)
	}
	slices.Sort(all)
	return all
}

// SecretKey returns a secret key and the name of the algorithm it is for,
// "AES" for one. Upper and lower case of the alias are the same. Its errors
// wrap ErrNoKey, ErrPassword when the password does not open the key (it may
// differ from the store's), or ErrDamaged.
func (s *Store) SecretKey(alias string, password []byte) (algorithm string, key []byte, err error) {
	sealed, ok := s.sealed[strings.ToLower(alias)]
	if !ok {
		if slices.Contains(s.others, strings.ToLower(alias)) {
			return "", nil, fmt.Errorf("%w: %q is a private key or a certificate", ErrNoKey, alias)
		}
		err := fmt.Errorf("%w: %q", ErrNoKey, alias)
		if near := fault.Closest(strings.ToLower(alias), s.Aliases()); near != "" {
			return "", nil, fault.Hint(err, "did you mean %q?", near)
		}
		return "", nil, fault.Hint(err, "the store has the secret keys %q", s.Aliases())
	}
	plain, err := sealed.open(password)
	if err != nil {
		return "", nil, fmt.Errorf("opening the secret key %q: %w", alias, err)
	}
	algorithm, key, err = secretKeyOf(plain)
	if err != nil {
		return "", nil, fmt.Errorf("reading the secret key %q: %w", alias, err)
	}
	return algorithm, bytes.Clone(key), nil
}
