package jceks_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/jceks"
)

// stores are those in testdata, with their passwords and those of their keys.
var stores = map[string]struct {
	password string
	keys     map[string]string
}{
	"keytool.jceks":  {"keyStorePassword", map[string]string{"key-1": "keyPassword1", "key-2": "keyStorePassword", "des": "keyStorePassword"}},
	"keystore.jceks": {"pässword €", map[string]string{"aes": "one", "pbe": "two", "des": " ~"}},
	"empty.jceks":    {"", nil},
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t testing.TB, name string) *jceks.Store {
	t.Helper()
	s, err := jceks.Read(bytes.NewReader(file(t, name)), []byte(stores[name].password))
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return s
}

// TestSecretKey holds that keys are those that Java reads.
func TestSecretKey(t *testing.T) {
	seen := 0
	for line := range strings.Lines(string(file(t, "keys.txt"))) {
		f := strings.Fields(line)
		if len(f) != 4 {
			continue // sealed text: TestDeriveKey reads it
		}
		seen++
		name, alias, algorithm, key := f[0], f[1], f[2], f[3]
		t.Run(name+" "+alias, func(t *testing.T) {
			for _, alias := range []string{alias, strings.ToUpper(alias)} {
				gotAlgorithm, gotKey, err := open(t, name).SecretKey(alias, []byte(stores[name].keys[strings.ToLower(alias)]))
				if err != nil {
					t.Fatal(err)
				}
				if gotAlgorithm != algorithm || hex.EncodeToString(gotKey) != key {
					t.Errorf("got %s %x; want %s %s", gotAlgorithm, gotKey, algorithm, key)
				}
			}
		})
	}
	if seen != 6 {
		t.Errorf("keys.txt has %d keys; want 6", seen)
	}
}

func TestAliases(t *testing.T) {
	for name, want := range map[string][]string{
		"keytool.jceks":  {"des", "key-1", "key-2"},
		"keystore.jceks": {"aes", "des", "pbe"},
		"empty.jceks":    nil,
	} {
		if got := open(t, name).Aliases(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q; want %q", name, got, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	whole := file(t, "keytool.jceks")
	changed := func(at int, b byte) []byte {
		c := bytes.Clone(whole)
		c[at] = b
		return c
	}
	for _, test := range []struct {
		name string
		data []byte
		want error
		text string
	}{
		{"an empty file", nil, jceks.ErrFormat, "0 bytes"},
		{"another file", []byte("keyStoreFile"), jceks.ErrFormat, "0x6b657953"},
		{"a JKS store", []byte{0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2}, jceks.ErrFormat, "JKS"},
		{"a PKCS12 store", []byte{0x30, 0x82, 1, 2, 3}, jceks.ErrFormat, "PKCS12"},
		{"a store without an end", whole[:20], jceks.ErrDamaged, "20 bytes"},
		{"a store cut short", whole[:len(whole)-100], jceks.ErrDamaged, "ends in the middle"},
		{"a store with more behind it", append(bytes.Clone(whole), 1, 2, 3), jceks.ErrDamaged, "follow the last entry"},
		{"an unknown version", changed(7, 3), jceks.ErrDamaged, "version is 3"},
		{"a changed byte", changed(len(whole)-30, whole[len(whole)-30]^1), jceks.ErrPassword, "changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := jceks.Read(bytes.NewReader(test.data), []byte("keyStorePassword"))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v; want %v with %q", err, test.want, test.text)
			}
		})
	}
	t.Run("a wrong password", func(t *testing.T) {
		for _, password := range []string{"", "keystorepassword"} {
			if _, err := jceks.Read(bytes.NewReader(whole), []byte(password)); !errors.Is(err, jceks.ErrPassword) {
				t.Errorf("password %q: got %v; want ErrPassword", password, err)
			}
		}
	})
	t.Run("what never ends", func(t *testing.T) {
		r := io.MultiReader(bytes.NewReader(whole), zeros{})
		if _, err := jceks.Read(r, nil); !errors.Is(err, jceks.ErrFormat) {
			t.Errorf("got %v; want ErrFormat", err)
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestSecretKeyRefuses(t *testing.T) {
	s := open(t, "keytool.jceks")
	for _, test := range []struct {
		alias, password string
		want            error
		text            string
	}{
		{"key-1", "keyStorePassword", jceks.ErrPassword, `"key-1"`},
		{"key-1", "", jceks.ErrPassword, `"key-1"`},
		{"key-1", "pässword", jceks.ErrPassword, "ASCII"},
		{"key-3", "keyPassword1", jceks.ErrNoKey, `"key-3"`},
		{"pair", "keyStorePassword", jceks.ErrNoKey, "private key"},
		{"CERT", "keyStorePassword", jceks.ErrNoKey, "certificate"},
	} {
		t.Run(test.alias+" "+test.password, func(t *testing.T) {
			_, _, err := s.SecretKey(test.alias, []byte(test.password))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v; want %v with %q", err, test.want, test.text)
			}
		})
	}
}

// FuzzRead holds that no bytes panic, and that opening what could be read
// does not either. The digest is put right, so that keys are reached.
func FuzzRead(f *testing.F) {
	for name, s := range stores {
		whole := file(f, name)
		f.Add(whole[:len(whole)-sha1.Size], s.password)
	}
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		jceks.Read(bytes.NewReader(data), []byte(password))
		s, err := jceks.Read(bytes.NewReader(signed(data)), nil)
		if err != nil {
			return
		}
		for _, alias := range s.Aliases() {
			if _, key, err := s.SecretKey(alias, []byte(password)); err == nil && len(key) == 0 {
				t.Errorf("%q: got no key and no error", alias)
			}
		}
	})
}

// signed returns data with the digest of a store whose password is empty.
func signed(data []byte) []byte {
	sum := sha1.Sum(append([]byte("Mighty Aphrodite"), data...))
	return append(bytes.Clone(data), sum[:]...)
}
