package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/flumekit/flumekit/pkg/stream"
)

// check is a reader: it takes batches from standard input, notes what is in each,
// and then commits it.
func check(ctx context.Context, l life) error {
	file, err := appendTo(filepath.Join(l.dir, "received", l.name))
	if err != nil {
		return err
	}
	in, source := stream.OpenStdin(os.Stdin, l.name, stream.Bounds{}), rand.New(rand.NewPCG(l.seed, uint64(l.number)))
	// A writer that is told to end has this reader end, which sees the end.
	ctx = context.WithoutCancel(ctx)
	for {
		d, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var r received
		for e := range d.Batch.All() {
			r.add(ofEvent(e))
		}
		if err := r.write(file); err != nil {
			return err
		}
		if source.IntN(50) == 0 {
			time.Sleep(time.Duration(source.IntN(20)) * time.Millisecond)
		}
		d.Commit()
		d.Recycle()
	}
}

// received is what a reader notes of some events: a line for each run of events
// that one writer numbered one after the other in one life.
type received struct {
	text []byte
	from origin // of the run, if there is one
	last int
}

func (r *received) add(o origin, err error) {
	switch {
	case err != nil:
		r.end()
		r.text = fmt.Appendf(r.text, "damaged %q\n", err.Error())
	case r.from.n > 0 && o.writer == r.from.writer && o.life == r.from.life && o.n == r.last+1:
		r.last++
	default:
		r.end()
		r.from, r.last = o, o.n
	}
}

func (r *received) end() {
	if r.from.n > 0 {
		r.text = fmt.Appendf(r.text, "%s %d %d %d\n", r.from.writer, r.from.life, r.from.n, r.last)
		r.from = origin{}
	}
}

// write notes it, in one write.
func (r *received) write(to io.Writer) error {
	r.end()
	_, err := to.Write(r.text)
	r.text = r.text[:0]
	return err
}
