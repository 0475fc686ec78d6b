package file

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/jceks"
)

// Encryption are the properties of a channel whose files are encrypted, with
// keys from a Java key store.
type Encryption struct {
	KeyProvider    string            `name:"keyProvider" enum:"JCEKSFILE,org.apache.flume.channel.file.encryption.JCEFileKeyProvider," default:"" help:"Where keys come from; JCEKSFILE is a Java key store. Without it files are plain."`
	ActiveKey      string            `name:"activeKey" help:"Name of the key for what is written from now on."`
	CipherProvider string            `name:"cipherProvider" enum:"AESCTRNOPADDING,org.apache.flume.channel.file.encryption.AESCTRNoPaddingProvider," default:"" help:"What Flume encrypts with. It has to be given; the store here encrypts with AES under a key that is derived from the active one."`
	KeyStoreFile   string            `name:"keyProvider.keyStoreFile" placeholder:"FILE" help:"The key store (keytool -genseckey -storetype JCEKS)."`
	PasswordFile   string            `name:"keyProvider.keyStorePasswordFile" placeholder:"FILE" help:"File with the key store's password."`
	Keys           []string          `name:"keyProvider.keys" sep:" " help:"Names of the keys: the active one, and those with which files were written before."`
	KeyFiles       map[string]string `name:"keyProvider.keys.<key>" placeholder:"FILE" help:"KEY.passwordFile: file with the password of one key, if that is not the key store's."`
}

// validate checks what the values alone can tell.
func (e *Encryption) validate() error {
	given := map[string]bool{
		"encryption.activeKey":                        e.ActiveKey != "",
		"encryption.cipherProvider":                   e.CipherProvider != "",
		"encryption.keyProvider.keyStoreFile":         e.KeyStoreFile != "",
		"encryption.keyProvider.keyStorePasswordFile": e.PasswordFile != "",
		"encryption.keyProvider.keys":                 len(e.Keys) > 0,
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case e.KeyProvider == "" && given[name]:
			// To accept these would be to write in the clear what
			// somebody wants to have hidden.
			return fault.Hint(fmt.Errorf("%s is set, but encryption.keyProvider is not", name), "set encryption.keyProvider to JCEKSFILE, or take encryption.* out")
		case e.KeyProvider != "" && !given[name]:
			return fault.Hint(fmt.Errorf("encryption.keyProvider is set, but %s is not", name), "set it, or take encryption.* out")
		}
	}
	if e.KeyProvider != "" && !slices.Contains(e.Keys, e.ActiveKey) {
		return fault.Hint(fmt.Errorf("encryption.activeKey is %q, but encryption.keyProvider.keys has %s", e.ActiveKey, strings.Join(e.Keys, " ")),
			"name it among the keys")
	}
	for name := range e.KeyFiles {
		if key, ok := strings.CutSuffix(name, ".passwordFile"); !ok || !slices.Contains(e.Keys, key) {
			return fault.Hint(fmt.Errorf("encryption.keyProvider.keys.%s is no property", name), "after keys. comes one of the keys, and then .passwordFile")
		}
	}
	return nil
}

// Open reads the keys; nil if files are plain.
func (e *Encryption) Open() (*channel.Keys, error) {
	if e.KeyProvider == "" {
		return nil, nil
	}
	active, err := e.Key(e.ActiveKey)
	if err != nil {
		return nil, err
	}
	keys := &channel.Keys{Active: active}
	for _, name := range e.Keys {
		if name == e.ActiveKey {
			continue
		}
		old, err := e.Key(name)
		if err != nil {
			return nil, err
		}
		keys.Old = append(keys.Old, old)
	}
	return keys, nil
}

// Key reads one of the keys from the key store.
func (e *Encryption) Key(name string) ([]byte, error) {
	password, err := readPassword(e.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("reading the password of the key store: %w", err)
	}
	file, err := os.Open(e.KeyStoreFile)
	if err != nil {
		return nil, fmt.Errorf("opening the key store: %w", err)
	}
	defer file.Close()
	store, err := jceks.Read(file, password)
	if err != nil {
		return nil, fmt.Errorf("reading the key store %s: %w", e.KeyStoreFile, err)
	}
	if own := e.KeyFiles[name+".passwordFile"]; own != "" {
		if password, err = readPassword(own); err != nil {
			return nil, fmt.Errorf("reading the password of the key %s: %w", name, err)
		}
	}
	_, key, err := store.SecretKey(name, password)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s from %s: %w", name, e.KeyStoreFile, err)
	}
	return key, nil
}

// readPassword returns what a file holds, less white space around it.
func readPassword(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, errors.New(path + " is empty")
	}
	return text, nil
}
