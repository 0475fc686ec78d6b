package channel

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Loss is what damage has cost: a line of the file losses beside what was set
// aside.
type Loss struct {
	Time   time.Time `json:"time"`   // when it was found
	First  uint64    `json:"first"`  // the first of the messages that are lost,
	Last   uint64    `json:"last"`   // and the last
	Events uint64    `json:"events"` // that nobody will get
	Bytes  uint64    `json:"bytes"`
}

// Aside returns the path of the directory into which damaged files are moved. It
// exists once there are any.
func (d *Dir) Aside() string { return filepath.Join(d.path, "damaged") }

func (d *Dir) losses() string { return filepath.Join(d.Aside(), "losses") }

// noted reports whether that loss was written down before.
func (d *Dir) noted(gap Places, lost Totals) bool {
	all, err := d.Losses()
	return err == nil && slices.ContainsFunc(all, func(l Loss) bool {
		return l.First == gap.First && l.Last == gap.Last && l.Events == lost.Events && l.Bytes == lost.Bytes
	})
}

// noteLoss writes down what is lost.
func (d *Dir) noteLoss(gap Places, lost Totals) (err error) {
	if err := os.MkdirAll(d.Aside(), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(d.losses(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	line, err := json.Marshal(Loss{time.Now(), gap.First, gap.Last, lost.Events, lost.Bytes})
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err == nil {
		err = f.Sync()
	}
	return err
}

// Losses returns what damage has cost the channel so far, oldest first.
func (d *Dir) Losses() (all []Loss, err error) {
	f, err := os.Open(d.losses())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l Loss
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return all, fmt.Errorf("reading %s: %w", f.Name(), err)
		}
		all = append(all, l)
	}
	return all, lines.Err()
}

// setAside moves the damaged file at path to where its name tells when that was.
func (d *Dir) setAside(path string) (string, error) {
	if err := os.MkdirAll(d.Aside(), 0o700); err != nil {
		return "", err
	}
	to := filepath.Join(d.Aside(), time.Now().UTC().Format("20060102T150405.000Z")+"-"+filepath.Base(path))
	if err := os.Rename(path, to); err != nil {
		return "", err
	}
	return to, errors.Join(syncDir(d.Aside()), syncDir(filepath.Dir(path)))
}
