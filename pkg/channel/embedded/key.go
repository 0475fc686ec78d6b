package embedded

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/fault"
)

// fingerprint says which key a segment was written with, and nothing about the
// key. That of no key is "".
func fingerprint(key []byte) string {
	if key == nil {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("flumekit segment"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// keyring is the keys that a store is opened with. Without keys it is empty.
type keyring struct {
	active []byte
	all    [][]byte
}

func newKeyring(keys *channel.Keys) keyring {
	if keys == nil {
		return keyring{}
	}
	all := slices.Concat([][]byte{keys.Active}, keys.Old)
	return keyring{keys.Active, slices.DeleteFunc(all, func(key []byte) bool { return key == nil })}
}

// find returns the key with a fingerprint, nil for "".
func (k keyring) find(print string) ([]byte, error) {
	if print == "" {
		return nil, nil
	}
	i := slices.IndexFunc(k.all, func(key []byte) bool { return fingerprint(key) == print })
	if i >= 0 {
		return bytes.Clone(k.all[i]), nil
	}
	if len(k.all) == 0 {
		return nil, fault.Hint(fmt.Errorf("the messages are encrypted with the key %s, and no key is given", print),
			"give the key that they were written with")
	}
	return nil, fault.Hint(fmt.Errorf("the messages are encrypted with the key %s, which is none of the %d that are given", print, len(k.all)),
		"give the key that they were written with among the old keys, until the last of these messages is taken")
}
