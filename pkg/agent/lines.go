package agent

import (
	"bytes"
	"io"
	"sync"
)

// lockedWriter is a writer that several processes share.
type lockedWriter struct {
	mu sync.Mutex

	w io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// maxLine is how much of a line is held back until its end comes.
const maxLine = 1 << 20

// lineWriter passes on whole lines of what is written to it: one or more in
// each Write, with their ends. Longer lines than maxLine are passed on in parts.
type lineWriter struct {
	w    io.Writer
	held []byte // the beginning of a line
}

func (l *lineWriter) Write(p []byte) (int, error) {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end > 0 {
		whole := p[:end]
		if len(l.held) > 0 {
			whole = append(l.held, whole...)
			l.held = l.held[:0]
		}
		if _, err := l.w.Write(whole); err != nil {
			return 0, err
		}
	}
	l.held = append(l.held, p[end:]...)
	if len(l.held) >= maxLine {
		if err := l.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// flush passes on a last line that has no end, and gives it one.
func (l *lineWriter) flush() error {
	if len(l.held) == 0 {
		return nil
	}
	_, err := l.w.Write(append(l.held, '\n'))
	l.held = l.held[:0]
	return err
}
