package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// catAndCount is cat file | wc -l.
func catAndCount(t *trial) error {
	lines, err := t.firstLines()
	if err != nil {
		return err
	}
	defer lines.Close()
	counted, output, err := os.Pipe()
	if err != nil {
		return err
	}
	defer counted.Close()
	t.output = output
	begin := time.Now()
	err = t.pipe(nil, "cat ../"+filepath.Base(lines.Name()), "wc -l")
	output.Close()
	if err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	t.found.Events, t.found.Elapsed = t.n, time.Since(begin)
	text, err := io.ReadAll(counted)
	if got := strings.TrimSpace(string(text)); err == nil && got != fmt.Sprint(t.n) {
		err = fmt.Errorf("wc counted %s lines of %d", got, t.n)
	}
	return err
}

// writeAndSync is what a durable channel cannot do without: it writes the
// bodies in batches to a file, and calls fsync after each.
func (t *trial) writeAndSync(batch int) error {
	file, err := os.Create(filepath.Join(t.dir, "raw"))
	if err != nil {
		return err
	}
	defer file.Close()
	data := bytes.Repeat(line(nil, 0), batch)
	cpu, begin := ownCPU(), time.Now()
	for range t.n / batch {
		if _, err := file.Write(data); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
		if t.ctx.Err() != nil {
			return t.ctx.Err()
		}
	}
	t.found.Events, t.found.Elapsed = t.n, time.Since(begin)
	t.found.CPU = ownCPU() - cpu
	t.syncs = t.n / batch
	info, err := file.Stat()
	if err == nil && info.Size() != int64(t.n*bodySize) {
		err = errors.New("the file is short")
	}
	return err
}

// ownCPU returns the time that this process has computed.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
