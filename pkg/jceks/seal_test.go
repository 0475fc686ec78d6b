package jceks

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// TestDeriveKey opens text that Java sealed, once with a salt whose halves are
// the same.
func TestDeriveKey(t *testing.T) {
	keys, err := os.ReadFile("testdata/keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(keys)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		seen++
		salt, _ := hex.DecodeString(f[0])
		text, _ := hex.DecodeString(f[1])
		derived := deriveKey([]byte("secret"), salt, 7)
		block, err := des.NewTripleDESCipher(derived[:24])
		if err != nil {
			t.Fatal(err)
		}
		cipher.NewCBCDecrypter(block, derived[24:]).CryptBlocks(text, text)
		if got, want := string(text[:16]), "sixteen bytes ok"; got != want {
			t.Errorf("salt %s: got %q; want %q", f[0], got, want)
		}
	}
	if seen != 2 {
		t.Errorf("keys.txt has %d sealed texts; want 2", seen)
	}
}

// FuzzObject holds that no serialized bytes panic or run on for ever.
func FuzzObject(f *testing.F) {
	f.Add([]byte("\xac\xed\x00\x05sr\x00\x1fjavax.crypto.spec.SecretKeySpec\x5b\x47\x0b\x66\xe2\x30\x61\x4d\x02\x00\x02L\x00\talgorithmt\x00\x12Ljava/lang/String;[\x00\x03keyt\x00\x02[Bxpt\x00\x03AESur\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00xp\x00\x00\x00\x10abcdefghijklmnop"))
	f.Add([]byte("\xac\xed\x00\x05sr\x00\x01A\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00xq\x00\x7e\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		algorithm, key, err := secretKeyOf(data)
		if err == nil && len(key) == 0 {
			t.Errorf("got algorithm %q, no key and no error", algorithm)
		}
	})
}
