package file_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/event"
)

// encryption returns the properties for a key store that keytool has made.
func encryption(t *testing.T, active string, keys ...string) file.Encryption {
	t.Helper()
	password := func(text string) string {
		path := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	e := file.Encryption{
		KeyProvider:    "JCEKSFILE",
		ActiveKey:      active,
		CipherProvider: "AESCTRNOPADDING",
		KeyStoreFile:   "../../jceks/testdata/keytool.jceks",
		PasswordFile:   password("keyStorePassword"),
		Keys:           keys,
		KeyFiles:       map[string]string{},
	}
	for _, key := range keys {
		if key == "key-1" {
			e.KeyFiles["key-1.passwordFile"] = password("keyPassword1")
		}
	}
	return e
}

// TestEncryption writes with one key, then with another, and takes it all; the
// files have none of it in the clear.
func TestEncryption(t *testing.T) {
	dir := t.TempDir()
	const secret = "nobody is to read this"
	puts := func(e file.Encryption, body string) {
		o := options(dir)
		o.Encryption = e
		c := open(t, o)
		defer c.Close()
		var b event.Batch
		b.Append(event.Event{Body: []byte(body)})
		done := make(chan error, 1)
		c.Putter().Put(&b, true, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	puts(encryption(t, "key-1", "key-1"), secret+" 1")
	puts(encryption(t, "key-2", "key-1", "key-2"), secret+" 2")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s has the event in the clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, without := range []file.Encryption{{}, encryption(t, "key-1", "key-1"), encryption(t, "key-2", "key-2")} {
		o := options(dir)
		o.Encryption = without
		c, err := o.Open(t.Context(), embedded.Open)
		if err == nil {
			_, err = take(t, c, 2)
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("with the keys %v: got %v; want that a key is missing", without.Keys, err)
		}
	}

	o := options(dir)
	o.Encryption = encryption(t, "key-2", "key-1", "key-2")
	c := open(t, o)
	defer c.Close()
	bodies, err := take(t, c, 2)
	if err != nil || strings.Join(bodies, ", ") != secret+" 1, "+secret+" 2" {
		t.Errorf("took %q, %v", bodies, err)
	}
}

// take takes n batches of one event, or fails with the channel.
func take(t *testing.T, c channel.Channel, n int) (bodies []string, err error) {
	taker := c.Taker()
	defer taker.Close()
	for range n {
		take, err := taker.Take(t.Context())
		if err != nil {
			return bodies, err
		}
		for e := range take.Batch().All() {
			bodies = append(bodies, string(e.Body))
		}
		if err := take.Commit(); err != nil {
			return bodies, err
		}
	}
	return bodies, nil
}

func TestEncryptionNeedsItsKeys(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*file.Encryption)
		want string
	}{
		{"no key store", func(e *file.Encryption) { e.KeyStoreFile = "gone.jceks" }, "opening the key store: open gone.jceks"},
		{"no password", func(e *file.Encryption) { e.PasswordFile = "gone" }, "reading the password of the key store: open gone"},
		{"no such key", func(e *file.Encryption) { e.ActiveKey = "key-3" }, "reading the key key-3 from "},
		{"no password for the key", func(e *file.Encryption) { e.KeyFiles = nil; e.ActiveKey = "key-1" }, "reading the key key-1 from "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t.TempDir())
			o.Encryption = encryption(t, "key-2", "key-1", "key-2")
			tt.set(&o.Encryption)
			_, err := o.Open(t.Context(), embedded.Open)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v; want %s…", err, tt.want)
			}
			if again, err := channel.LockDir(o.Dir); errors.Is(err, channel.ErrInUse) {
				t.Error("the directory is still locked")
			} else if err == nil {
				again.Close()
			}
		})
	}
}
