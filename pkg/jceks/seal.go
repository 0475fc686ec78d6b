package jceks

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

// maxRounds is the most iterations that Java itself accepts.
const maxRounds = 5_000_000

const sealAlgorithm = "PBEWithMD5AndTripleDES"

// sealedKey is a javax.crypto.SealedObject: a serialized object, encrypted.
type sealedKey struct {
	salt    []byte
	rounds  int
	content []byte
}

// sealedKeyOf takes from a SealedObject what opening it needs.
func sealedKeyOf(v any) (sealedKey, error) {
	o, ok := v.(*object)
	if !ok || !o.is("javax.crypto.SealedObject") {
		return sealedKey{}, errors.New("its secret key is not a javax.crypto.SealedObject")
	}
	if alg, _ := o.fields["sealAlg"].(string); alg != sealAlgorithm {
		return sealedKey{}, fmt.Errorf("its secret key is sealed with %q; only %s is known", alg, sealAlgorithm)
	}
	content, _ := o.fields["encryptedContent"].([]byte)
	params, _ := o.fields["encodedParams"].([]byte)
	var pbe struct {
		Salt   []byte
		Rounds int
	}
	if rest, err := asn1.Unmarshal(params, &pbe); err != nil || len(rest) > 0 {
		return sealedKey{}, errors.New("the parameters of its seal are not a salt and a count")
	}
	switch {
	case len(pbe.Salt) != 8:
		return sealedKey{}, fmt.Errorf("the salt of its seal has %d bytes; want 8", len(pbe.Salt))
	case pbe.Rounds < 1 || pbe.Rounds > maxRounds:
		return sealedKey{}, fmt.Errorf("the seal's count is %d; it must be between 1 and %d", pbe.Rounds, maxRounds)
	case len(content) == 0 || len(content)%des.BlockSize != 0:
		return sealedKey{}, fmt.Errorf("its sealed content has %d bytes; want a multiple of %d", len(content), des.BlockSize)
	}
	return sealedKey{salt: pbe.Salt, rounds: pbe.Rounds, content: content}, nil
}

// open returns the serialized object. A wrong password shows in the padding
// or, one time in 256, in that what comes out is no serialized object.
func (s sealedKey) open(password []byte) ([]byte, error) {
	for _, c := range password {
		if c < 0x20 || c > 0x7e {
			return nil, fmt.Errorf("%w: Java seals keys with printable ASCII passwords only", ErrPassword)
		}
	}
	derived := deriveKey(password, s.salt, s.rounds)
	block, err := des.NewTripleDESCipher(derived[:24])
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(s.content))
	cipher.NewCBCDecrypter(block, derived[24:]).CryptBlocks(plain, s.content)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > des.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) ||
		!bytes.HasPrefix(plain, streamHeader) {
		return nil, ErrPassword
	}
	return plain[:len(plain)-pad], nil
}

// deriveKey makes 24 bytes of key and 8 of initialization vector: each half of
// the salt is hashed with the password, over and over, into half of them.
func deriveKey(password, salt []byte, rounds int) []byte {
	salt = bytes.Clone(salt)
	if bytes.Equal(salt[:4], salt[4:]) {
		slices.Reverse(salt[:4]) // else both halves of the key would be the same
	}
	var out []byte
	for _, half := range [][]byte{salt[:4], salt[4:]} {
		sum := half
		for range rounds {
			h := md5.Sum(append(bytes.Clone(sum), password...))
			sum = h[:]
		}
		out = append(out, sum...)
	}
	return out
}

// secretKeyOf takes the key from its serialized object: a SecretKeySpec, or the
// KeyRep by which other classes of keys are serialized.
func secretKeyOf(plain []byte) (algorithm string, key []byte, err error) {
	d := &decoder{data: plain}
	v := d.object()
	if d.err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrDamaged, d.err)
	}
	o, ok := v.(*object)
	switch {
	case ok && o.is("javax.crypto.spec.SecretKeySpec"):
		algorithm, _ = o.fields["algorithm"].(string)
		key, _ = o.fields["key"].([]byte)
	case ok && o.is("java.security.KeyRep"):
		if format, _ := o.fields["format"].(string); format != "RAW" {
			return "", nil, fmt.Errorf("%w: the key is in the form %q; only RAW is known", ErrDamaged, format)
		}
		algorithm, _ = o.fields["algorithm"].(string)
		key, _ = o.fields["encoded"].([]byte)
	}
	if len(key) == 0 {
		return "", nil, fmt.Errorf("%w: what is sealed is no secret key", ErrDamaged)
	}
	return algorithm, key, nil
}
