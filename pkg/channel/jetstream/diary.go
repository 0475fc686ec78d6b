package jetstream

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// diary is the file "forward" in an edge's directory: the edge's identifier, and
// the group that was about to be sent last. It is what makes a message that is
// sent again after a crash the same message. The group is not synced: what a
// crash of the machine undoes may arrive twice, as takes of the last second may.
type diary struct {
	file  *os.File
	id    string
	group group
}

const (
	diaryHead  = "flumekit edge 1 %26s\n"
	diaryGroup = "%020d %020d\n"
	headSize   = 16 + 26 + 1
)

func openDiary(dir string) (*diary, error) {
	path := filepath.Join(dir, "forward")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDiary(path); err == nil {
			file, err = os.OpenFile(path, os.O_RDWR, 0)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the edge's diary: %w", err)
	}
	d := &diary{file: file}
	if _, err := fmt.Fscanf(io.NewSectionReader(file, 0, headSize), diaryHead, &d.id); err != nil {
		file.Close()
		return nil, fmt.Errorf("reading the edge's diary %s: %w", path, err)
	}
	// One that cannot be read was torn by a crash of the machine.
	var g group
	if n, _ := fmt.Fscanf(io.NewSectionReader(file, headSize, 42), "%d %d\n", &g.first, &g.last); n == 2 {
		d.group = g
	}
	return d, nil
}

func makeDiary(path string) error {
	temp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(temp, diaryHead, rand.Text())
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// note writes g down before it is sent.
func (d *diary) note(g group) error {
	if d.group == g {
		return nil
	}
	if _, err := d.file.WriteAt(fmt.Appendf(nil, diaryGroup, g.first, g.last), headSize); err != nil {
		return fmt.Errorf("writing the edge's diary: %w", err)
	}
	d.group = g
	return nil
}

func (d *diary) close() error { return d.file.Close() }
