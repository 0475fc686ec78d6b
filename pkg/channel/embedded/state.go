package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
)

// state is what is known of a segment without looking into it. It lies in the
// segment's file state, a checksum before it. If that is not whole, it is made
// anew from the messages.
type state struct {
	// Closed says that nothing was written since, and all else here is so.
	Closed bool `json:"closed"`
	// Crashed says that its nats-server did not come to its end: of its files
	// only the blocks count.
	Crashed bool `json:"crashed,omitempty"`
	// Resumable says that it may be written again.
	Resumable bool `json:"resumable,omitempty"`
	// Key is the fingerprint of the key.
	Key string `json:"key,omitempty"`
	// Base is Seq of the last message before the segment.
	Base uint64 `json:"base"`
	// First is First of the first message that was not trimmed, Last the last
	// place in use.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// End is Seq of the last message of the store up to here.
	End uint64 `json:"end"`
	// Time is when that was appended.
	Time time.Time `json:"time"`
	// Bytes is how much the segment holds.
	Bytes uint64 `json:"bytes"`
	// Missing are the places that were lost to damage.
	Missing []channel.Places `json:"missing,omitempty"`
}

const stateName = "state"

// readState returns the state of the segment in dir; not ok if there is none or
// it is damaged.
func readState(dir string) (s state, ok bool, err error) {
	content, err := os.ReadFile(filepath.Join(dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	sum, text, _ := bytes.Cut(content, []byte("\n"))
	if string(sum) != stateSum(text) || json.Unmarshal(text, &s) != nil {
		return state{}, false, nil
	}
	return s, true, nil
}

// write writes the state of the segment in dir: at any moment it is there in
// whole, the old or the new one.
func (s *state) write(dir string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, stateName)
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s\n%s", stateSum(text), text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = syncDir(dir)
	}
	return err
}

func stateSum(text []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) }

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
