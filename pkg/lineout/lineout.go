// Package lineout writes lines to a file that may be a pipe or a terminal, for
// sinks whose data go to standard output: a batch in one write, which can be
// given up when nobody reads.
package lineout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/flumekit/flumekit/pkg/sink"
)

// Writer writes lines to a file. It is not safe for concurrent use.
type Writer struct {
	f        *os.File
	buf      []byte
	underWay chan result // of a write that was given up and has not ended
	torn     bool        // the file ends within a line
}

type result struct {
	torn bool
	err  error
}

// New returns a Writer to f, os.Stdout if f is nil. The file stays the caller's.
func New(f *os.File) *Writer {
	if f == nil {
		f = os.Stdout
	}
	return &Writer{f: f}
}

// Buffer returns memory to append lines to, for one call of Write. It is empty,
// or holds the newline that ends a line which an earlier write left cut.
func (w *Writer) Buffer() []byte {
	if w.torn {
		return append(w.buf[:0], '\n')
	}
	return w.buf[:0]
}

// Write writes lines, which it then owns. It returns nil when the kernel has
// all of them, and an error that wraps sink.ErrGone once nobody reads. When ctx is done it returns ctx's error, though the kernel may
// still take them: a write that blocks cannot be called back.
func (w *Writer) Write(ctx context.Context, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if w.underWay != nil {
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
	w.buf = lines
	done := make(chan result, 1)
	go func() {
		n, err := w.f.Write(lines)
		done <- result{torn: n > 0 && lines[n-1] != '\n', err: err}
	}()
	w.underWay = done
	return w.wait(ctx)
}

func (w *Writer) wait(ctx context.Context) error {
	select {
	case r := <-w.underWay:
		w.underWay, w.torn = nil, r.torn
		if errors.Is(r.err, syscall.EPIPE) {
			return fmt.Errorf("%w: nobody reads standard output any more", sink.ErrGone)
		}
		return r.err
	case <-ctx.Done():
		w.buf = nil // still being written
		return ctx.Err()
	}
}
