package msgblock

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	seedLen = 32
	tagLen  = 16
)

// suite is one of the two ciphers that nats-server knows.
type suite struct {
	nonce  int
	seal   func(key []byte) (cipher.AEAD, error)
	stream func(key, nonce []byte) (cipher.Stream, error)
}

var suites = []suite{
	{chacha20.NonceSizeX, chacha20poly1305.NewX, func(key, nonce []byte) (cipher.Stream, error) {
		return chacha20.NewUnauthenticatedCipher(key, nonce)
	}},
	{aes.BlockSize, func(key []byte) (cipher.AEAD, error) {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCMWithNonceSize(block, aes.BlockSize)
	}, func(key, nonce []byte) (cipher.Stream, error) {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewCTR(block, nonce), nil
	}},
}

// key is what a key file holds: a random key, sealed under one that is derived
// from the server's key, the account and what the file is for.
type key struct {
	suite    suite
	seed     []byte
	nonce    []byte
	restored []byte // the file as it should be, if it is not so
}

// openKey opens a key file. One flipped bit and bytes behind its end do no
// harm: the seal says what is right.
func openKey(file, master []byte, account, context string) (key, bool) {
	mac := hmac.New(sha256.New, master)
	fmt.Fprint(mac, account, context)
	derived := mac.Sum(nil)
	for _, s := range suites {
		length := s.nonce + seedLen + tagLen
		if len(file) < length {
			continue
		}
		kek, err := s.seal(derived)
		if err != nil {
			continue
		}
		sealed := bytes.Clone(file[:length])
		var seed []byte
		open := func() bool {
			seed, err = kek.Open(nil, sealed[:s.nonce], sealed[s.nonce:], nil)
			return err == nil
		}
		if !open() && !flipBit(sealed, open) {
			continue
		}
		k := key{suite: s, seed: seed, nonce: sealed[:s.nonce]}
		if !bytes.Equal(sealed, file) {
			k.restored = sealed
		}
		return k, true
	}
	return key{}, false
}

// crypt decrypts a block in place, or encrypts it: it is the same.
func (k *key) crypt(block []byte) error {
	if k == nil {
		return nil
	}
	stream, err := k.suite.stream(k.seed, k.nonce)
	if err != nil {
		return err
	}
	stream.XORKeyStream(block, block)
	return nil
}

// open opens what was sealed with the key itself: meta.inf and index.db.
func (k *key) open(sealed []byte) ([]byte, error) {
	aead, err := k.suite.seal(k.seed)
	if err != nil {
		return nil, err
	}
	if len(sealed) < k.suite.nonce {
		return nil, fmt.Errorf("it is %d bytes long", len(sealed))
	}
	return aead.Open(nil, sealed[:k.suite.nonce], sealed[k.suite.nonce:], nil)
}
