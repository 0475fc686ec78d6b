package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/flumekit/flumekit/pkg/event"
)

// Reader reads batches from one writer. It reads ahead, within its bounds.
// Next is called by one goroutine; deliveries may be answered by any.
type Reader struct {
	bounds Bounds
	queue  chan *Delivery
	err    error // why queue was closed; set before

	mu      sync.Mutex
	room    sync.Cond
	bytes   int      // of deliveries that are not answered
	spares  [][]byte // memory of recycled batches
	answers *answers // of the present connection, nil if it has none
	closed  bool

	ctx    context.Context // done when the reader was closed
	cancel context.CancelFunc
}

// Delivery is one batch that was read. It must be answered, once: Commit when
// the batch is safe, or Refuse. Answers may come in any order; the writer hears
// of them in the batches' order.
type Delivery struct {
	// Batch is the receiver's to keep; see Recycle.
	Batch *event.Batch
	// Wait says that the writer waits for room as long as it takes. A
	// delivery without it is refused when there is no room for a while.
	Wait bool

	reader  *Reader
	answers *answers // nil: nobody asks
	seq     uint64
	size    int
	settled bool     // answered; guarded by answers.mu
	refused *Refused // how, if not committed
}

func newReader(bounds Bounds) *Reader {
	r := &Reader{bounds: bounds.orDefaults()}
	r.queue = make(chan *Delivery, r.bounds.WindowBatches)
	r.room.L = &r.mu
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// run runs read, which passes deliveries on until the stream ends.
func (r *Reader) run(read func() error) {
	go func() {
		err := read()
		if r.ctx.Err() != nil {
			err = ErrClosed
		} else if err == nil {
			err = io.EOF
		}
		r.err = err
		close(r.queue)
	}()
}

// Next returns the next batch. It returns io.EOF at the clean end of the
// stream, an error that wraps ErrDied if the writer died, ctx's error when ctx
// is done first.
func (r *Reader) Next(ctx context.Context) (*Delivery, error) {
	select {
	case d, ok := <-r.queue:
		if !ok {
			return nil, r.err
		}
		return d, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Poll returns the next batch if it was read already, else nil.
func (r *Reader) Poll() *Delivery {
	select {
	case d := <-r.queue: // nil once it is closed
		return d
	default:
		return nil
	}
}

// Close ends the reading. Deliveries can still be answered, but the writer
// hears nothing of it.
func (r *Reader) Close() {
	r.mu.Lock()
	r.closed = true
	answers := r.answers
	r.room.Broadcast()
	r.mu.Unlock()
	if answers != nil {
		answers.flush()
	}
	r.cancel()
}

// pass hands a batch of enc's size on. It blocks while the bounds are reached.
func (r *Reader) pass(d *Delivery) error {
	d.reader = r
	d.size = len(d.Batch.Encoded())
	r.mu.Lock()
	for r.bytes > 0 && r.bytes+d.size > r.bounds.WindowBytes && !r.closed {
		r.room.Wait()
	}
	if r.closed {
		r.mu.Unlock()
		return ErrClosed
	}
	r.bytes += d.size
	r.mu.Unlock()
	if d.answers != nil {
		d.answers.expect(d)
	}
	select {
	case r.queue <- d:
		return nil
	case <-r.ctx.Done():
		return ErrClosed
	}
}

// Commit tells the writer that the batch is safe.
func (d *Delivery) Commit() { d.settle(nil) }

// Refuse tells the writer that the batch was not taken, and why, and reports
// whether there is a writer to tell: a foreign program does not listen.
func (d *Delivery) Refuse(code Code, text string) (heard bool) {
	d.settle(&Refused{Code: code, Text: text})
	return d.answers != nil
}

func (d *Delivery) settle(refused *Refused) {
	r := d.reader
	r.mu.Lock()
	r.bytes -= d.size
	r.room.Broadcast()
	r.mu.Unlock()
	if d.answers != nil {
		d.answers.settle(d, refused)
	}
}

// Recycle gives the batch's memory back to be read into again. It is called, if
// at all, after the answer; Batch must not be used any more.
func (d *Delivery) Recycle() {
	enc := d.Batch.Encoded()
	d.Batch = nil
	const most = 16
	r := d.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.spares) < most && cap(enc) <= 4<<20 {
		r.spares = append(r.spares, enc[:0])
	}
}

// spare returns recycled memory, or nil.
func (r *Reader) spare() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.spares); n > 0 {
		buf := r.spares[n-1]
		r.spares = r.spares[:n-1]
		return buf
	}
	return nil
}

// frames passes on the batches of one run of frames, behind their magic. It
// returns nil after an end frame, and ErrDied where the bytes end without one.
func (r *Reader) frames(from *bufio.Reader, a *answers) error {
	r.mu.Lock()
	r.answers = a
	r.mu.Unlock()
	for due := uint64(1); ; due++ {
		f, err := readFrame(from, r.bounds.MaxBytes, r.spare())
		switch {
		case errors.Is(err, ErrProtocol):
			return err
		case err != nil:
			return fmt.Errorf("the stream broke off: %w", ErrDied)
		case f.kind == kindEnd:
			return nil
		case f.kind != kindBatch:
			return protocolErrorf("a frame of kind %d where a batch was due", f.kind)
		case f.seq != due:
			return protocolErrorf("batch %d where batch %d was due", f.seq, due)
		}
		d := &Delivery{Batch: new(event.Batch), Wait: f.flags&flagWait != 0 || a == nil, answers: a, seq: f.seq}
		if err := d.Batch.Decode(f.payload); err != nil {
			return fmt.Errorf("%w: batch %d: %w", ErrProtocol, f.seq, err)
		}
		if err := r.pass(d); err != nil {
			return err
		}
	}
}

// answers sends the answers of one connection, in the batches' order.
type answers struct {
	conn  io.Writer
	write sync.Mutex // held while answers are written, so that they are in order

	mu       sync.Mutex
	due      []*Delivery // not yet answered to the writer, in order
	flushing bool        // somebody is about to write
	broken   bool
}

func (a *answers) expect(d *Delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = append(a.due, d)
}

func (a *answers) settle(d *Delivery, refused *Refused) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.settled, d.refused = true, refused
	if !a.flushing {
		a.flushing = true
		go func() {
			runtime.Gosched() // answers that are given just now go together
			a.flush()
		}()
	}
}

// flush writes the answers that can be given.
func (a *answers) flush() {
	a.write.Lock()
	defer a.write.Unlock()
	a.mu.Lock()
	a.flushing = false
	text, broken := a.pending(), a.broken
	a.mu.Unlock()
	if len(text) == 0 || broken {
		return
	}
	if _, err := a.conn.Write(text); err != nil {
		a.breakOff() // the reading side sees it too and says so
	}
}

// pending returns the frames of all answers that are due in order. a.mu is held.
func (a *answers) pending() []byte {
	var text []byte
	n, through := 0, uint64(0)
	for ; n < len(a.due) && a.due[n].settled; n++ {
		d := a.due[n]
		if d.refused == nil {
			through = d.seq
			continue
		}
		if through > 0 {
			text = appendFrameHead(text, kindCommitted, 0, through, 0)
			through = 0
		}
		text = appendJSONFrame(text, kindRefused, d.seq, d.refused)
	}
	if through > 0 {
		text = appendFrameHead(text, kindCommitted, 0, through, 0)
	}
	clear(a.due[:n])
	a.due = a.due[n:]
	return text
}

// breakOff drops the answers of a connection that is gone.
func (a *answers) breakOff() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = true
}
