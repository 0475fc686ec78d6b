package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// size returns how many bytes the files of a directory have.
func size(dir string) int64 {
	files, _ := os.ReadDir(dir)
	var sum int64
	for _, file := range files {
		if info, err := file.Info(); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// checkLines holds that the file of a directory has the first n lines of the
// input, all of them and in order.
func checkLines(dir string, n int) error {
	file, err := openOnly(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return holdLines(file, n)
}

// openOnly opens the only file of a directory.
func openOnly(dir string) (io.ReadCloser, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("there are %d files in %s; want one", len(files), dir)
	}
	return os.Open(files[0])
}

// holdLines holds that file has just these lines.
func holdLines(file io.Reader, n int) error {
	r := bufio.NewReaderSize(file, 1<<20)
	var want []byte
	for i := range n {
		got, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("after %d lines of %d: %w", i, n, err)
		}
		if want = append(line(want[:0], i), '\n'); !bytes.Equal(got, want) {
			return fmt.Errorf("line %d is %.40q; want %.40q", i, got, want)
		}
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("there is more than the %d lines that were sent", n)
	}
	return nil
}
