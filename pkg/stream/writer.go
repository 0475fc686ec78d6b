package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
)

// awayGrace is how long a batch whose sender does not wait for room still waits
// for a connection to come back, before it is refused with code Away.
const awayGrace = 5 * time.Second

// Writer sends batches to one reader. Its methods may be called by several
// goroutines at once; the batches that one goroutine sends stay in order.
type Writer struct {
	name  string                               // of the other end, for messages
	write sync.Mutex                           // held while bytes are written, so that they are in order
	dial  func(context.Context) (*link, error) // nil: a lost link is the end

	mu       sync.Mutex
	changed  sync.Cond // broadcast when room was made, or the writer ended
	bounds   Bounds    // the reader's
	link     *link     // nil while there is none
	foreign  encoder   // not nil: lines for a foreign reader, no link
	out      io.Writer // where foreign lines go
	doubt    bool      // nobody has read any of them: only one batch is written
	unacked  []*Receipt
	bytes    int // of unacked
	seq      uint64
	joined   []byte // frames of small batches that are not written yet
	flushing bool   // somebody is about to write them
	err      error  // why it ended
	closing  bool   // the end is being sent: that the reader leaves then is right

	ctx    context.Context // done when the writer has ended
	cancel context.CancelFunc
	ended  sync.WaitGroup
	close  func() // gives back what was opened for it
}

// link is one connection in frames: data goes out, answers come in.
type link struct {
	data    output
	answers *bufio.Reader // nil: nothing ever comes back, written is committed
	bounds  Bounds
	close   func()
}

// output takes the head of a frame, and what was joined before it, together with the
// batch: a socket in one call, which wakes the reader once.
type output interface {
	io.Writer
	WriteBoth(head, body []byte) (int, error)
}

// pipe is the output that is standard output.
type pipe struct{ *os.File }

// WriteBoth implements output.
func (p pipe) WriteBoth(head, body []byte) (int, error) {
	n, err := (&net.Buffers{head, body}).WriteTo(p.File)
	return int(n), err
}

// Receipt is the promise of an answer for one batch.
type Receipt struct {
	batch *event.Batch
	wait  bool
	seq   uint64 // on the present link
	err   error
	done  chan struct{}
}

// Done is closed when the answer is there.
func (r *Receipt) Done() <-chan struct{} { return r.done }

// Wait waits for the answer: nil when the batch is committed, a *Refused when
// it was not taken, any other error when that cannot be known any more.
func (r *Receipt) Wait() error {
	<-r.done
	return r.err
}

func (r *Receipt) resolve(err error) {
	r.err = err
	close(r.done)
}

func newWriter(name string, close func()) *Writer {
	w := &Writer{name: name, bounds: Bounds{}.orDefaults(), close: close}
	w.changed.L = &w.mu
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Bounds returns what the reader takes, as far as it is known.
func (w *Writer) Bounds() Bounds {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bounds
}

// Send puts b on its way. It blocks while as much is under way as the reader
// allows. With wait the reader lets b wait for room as long as it takes,
// otherwise it may refuse it. b must not be changed until the receipt is
// answered.
func (w *Writer) Send(b *event.Batch, wait bool) *Receipt {
	r := &Receipt{batch: b, wait: wait, done: make(chan struct{})}
	if b.Len() == 0 {
		r.resolve(nil)
		return r
	}
	size := len(b.Encoded())
	if err := w.admit(size); err != nil {
		r.resolve(err)
		return r
	}
	if size <= smallFrame && w.join(r, size) {
		return r
	}
	w.write.Lock()
	defer w.write.Unlock()
	w.mu.Lock()
	if !w.enter(r, size) {
		w.mu.Unlock()
		return r
	}
	link, foreign, joined := w.link, w.foreign, w.joined
	w.joined = nil
	w.mu.Unlock()

	switch {
	case link != nil:
		if err := link.send(joined, r); err != nil {
			w.lost(link, err)
		} else if link.answers == nil {
			w.committed(link, r.seq)
		}
	case foreign != nil:
		if err := foreign.encode(w.out, b); err != nil {
			w.Abort(fmt.Errorf("writing to %s: %w", w.name, err))
			break
		}
		w.mu.Lock()
		if !w.doubt {
			w.resolveThrough(r.seq)
		}
		w.mu.Unlock()
	case !wait:
		// The link is gone: wait for it to come back, but not for ever.
		time.AfterFunc(awayGrace, func() { w.refuseAway(r) })
	}
	return r
}

// Batches of up to smallFrame bytes are joined for one write of up to fullWrite
// bytes. To a larger batch the system call is no matter; with more bytes the reader
// would wait while it could work.
const (
	smallFrame = 32 << 10
	fullWrite  = 64 << 10
)

// join sends r together with what is sent just now, by others and by the same
// sender. It reports false where that is not the way to send it.
func (w *Writer) join(r *Receipt, size int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link == nil || w.link.answers == nil || len(w.joined)+size > fullWrite {
		return false
	}
	if !w.enter(r, size) {
		return true
	}
	w.joined = r.append(w.joined)
	if !w.flushing {
		w.flushing = true
		w.ended.Add(1)
		go w.flush()
	}
	return true
}

// enter gives r its place, or its answer if the writer has ended. w.mu is held.
func (w *Writer) enter(r *Receipt, size int) bool {
	if w.err != nil {
		w.release(size)
		r.resolve(w.err)
		return false
	}
	w.seq++
	r.seq = w.seq
	w.unacked = append(w.unacked, r)
	return true
}

// flush writes what was joined, after all who can run just now have run: many
// clients that send one line each then cost one write.
func (w *Writer) flush() {
	defer w.ended.Done()
	runtime.Gosched()
	w.write.Lock()
	defer w.write.Unlock()
	w.mu.Lock()
	link, joined := w.link, w.joined
	w.joined, w.flushing = nil, false
	w.mu.Unlock()
	if link == nil || len(joined) == 0 {
		return
	}
	if _, err := link.data.Write(joined); err != nil {
		w.lost(link, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.joined == nil {
		w.joined = joined[:0] // for the next
	}
}

// admit waits for room for size bytes and takes it.
func (w *Writer) admit(size int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if size > w.bounds.MaxBytes {
		return &Refused{Code: TooLarge, Text: fmt.Sprintf(
			"a batch of %d bytes is larger than the %d that %s takes", size, w.bounds.MaxBytes, w.name)}
	}
	for w.err == nil && w.bytes > 0 &&
		(w.doubt || len(w.unacked) >= w.bounds.WindowBatches || w.bytes+size > w.bounds.WindowBytes) {
		w.changed.Wait()
	}
	if w.err != nil {
		return w.err
	}
	w.bytes += size
	return nil
}

// release gives room back. w.mu is held.
func (w *Writer) release(size int) {
	w.bytes -= size
	w.changed.Broadcast()
}

// append appends the frame of r's batch.
func (r *Receipt) append(dst []byte) []byte {
	return append(r.appendHead(dst), r.batch.Encoded()...)
}

func (r *Receipt) appendHead(dst []byte) []byte {
	flags := byte(0)
	if r.wait {
		flags = flagWait
	}
	return appendFrameHead(dst, kindBatch, flags, r.seq, len(r.batch.Encoded()))
}

// send writes what was joined before, and the frame of r's batch.
func (l *link) send(joined []byte, r *Receipt) error {
	_, err := l.data.WriteBoth(r.appendHead(joined), r.batch.Encoded())
	return err
}

// start makes l the writer's link, sends what is not answered again and begins
// to read answers. w.write is held.
func (w *Writer) start(l *link) {
	w.mu.Lock()
	if w.err != nil {
		w.mu.Unlock()
		l.close()
		return
	}
	w.link, w.foreign, w.joined, w.doubt = l, nil, nil, false
	w.bounds = l.bounds
	w.seq = 0
	again := make([]*Receipt, len(w.unacked))
	copy(again, w.unacked)
	for _, r := range again {
		w.seq++
		r.seq = w.seq
	}
	w.ended.Add(1)
	w.mu.Unlock()
	go func() {
		defer w.ended.Done()
		if l.answers == nil {
			<-w.ctx.Done()
			l.close()
			return
		}
		stop := context.AfterFunc(w.ctx, l.close)
		defer stop()
		w.lost(l, w.readAnswers(l))
	}()
	for _, r := range again {
		if err := l.send(nil, r); err != nil {
			w.lost(l, err)
			return
		}
	}
}

// writeLines makes lines what is written from now on. In doubt the first batch
// is written and counts for nothing yet. w.write is held.
func (w *Writer) writeLines(enc encoder, out io.Writer, doubt bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.foreign, w.out, w.doubt = enc, out, doubt
}

// inDoubt returns how many events were written in lines that count for nothing yet.
// w.write is held.
func (w *Writer) inDoubt() (events uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.unacked {
		events += uint64(r.batch.Len())
	}
	return events
}

// trustLines makes written lines count as committed, after it has called say. It
// does nothing where frames are written by now.
func (w *Writer) trustLines(say func()) {
	w.write.Lock() // so that what is being written is written
	defer w.write.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.foreign == nil || w.err != nil {
		return
	}
	say()
	w.doubt = false
	w.resolveThrough(w.seq)
}

// readAnswers takes answers in until the link breaks.
func (w *Writer) readAnswers(l *link) error {
	for {
		f, err := readFrame(l.answers, 0, nil)
		if err != nil {
			return err
		}
		switch f.kind {
		case kindCommitted:
			err = w.committed(l, f.seq)
		case kindRefused:
			refused := new(Refused)
			if err = json.Unmarshal(f.payload, refused); err == nil {
				err = w.refused(l, f.seq, refused)
			}
		default:
			err = protocolErrorf("a frame of kind %d where an answer was due", f.kind)
		}
		if err != nil {
			return err
		}
	}
}

func (w *Writer) committed(l *link, through uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link != l {
		return nil
	}
	if through > w.seq {
		return protocolErrorf("batch %d committed, of %d sent", through, w.seq)
	}
	w.resolveThrough(through)
	return nil
}

// resolveThrough answers every receipt up to seq with nil. w.mu is held.
func (w *Writer) resolveThrough(seq uint64) {
	n, size := 0, 0
	for n < len(w.unacked) && w.unacked[n].seq <= seq {
		size += len(w.unacked[n].batch.Encoded())
		w.unacked[n].resolve(nil)
		n++
	}
	w.drop(n)
	w.release(size)
}

// drop forgets the first n receipts. w.mu is held.
func (w *Writer) drop(n int) {
	clear(w.unacked[:n])
	w.unacked = w.unacked[n:]
}

func (w *Writer) refused(l *link, seq uint64, why *Refused) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link != l {
		return nil
	}
	if len(w.unacked) == 0 || w.unacked[0].seq != seq {
		return protocolErrorf("batch %d refused out of its turn", seq)
	}
	r := w.unacked[0]
	w.drop(1)
	size := len(r.batch.Encoded())
	r.resolve(why)
	w.release(size)
	return nil
}

// lost deals with a broken link: the end of a pipe, a new dial for a socket.
func (w *Writer) lost(l *link, err error) {
	l.close()
	w.mu.Lock()
	if w.link != l || w.err != nil || w.closing {
		w.mu.Unlock()
		return
	}
	w.link = nil
	if w.dial == nil {
		n := len(w.unacked)
		w.mu.Unlock()
		if errors.Is(err, ErrProtocol) {
			w.Abort(fmt.Errorf("reading the answers of %s: %w", w.name, err))
			return
		}
		w.Abort(fmt.Errorf("%s: %w; %d batches sent were not acknowledged", w.name, ErrDied, n))
		return
	}
	for _, r := range w.unacked {
		if !r.wait {
			time.AfterFunc(awayGrace, func() { w.refuseAway(r) })
		}
	}
	w.ended.Add(1)
	w.mu.Unlock()
	go func() {
		defer w.ended.Done()
		w.redial()
	}()
}

// redial gets a new link, for as long as it takes.
func (w *Writer) redial() {
	l, err := w.dial(w.ctx)
	if err != nil {
		return // only because the writer has ended
	}
	w.write.Lock()
	defer w.write.Unlock()
	w.start(l)
}

// refuseAway refuses r if it still waits for a link.
func (w *Writer) refuseAway(r *Receipt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link != nil || w.err != nil {
		return
	}
	for i, u := range w.unacked {
		if u == r {
			w.unacked = append(w.unacked[:i:i], w.unacked[i+1:]...)
			size := len(r.batch.Encoded())
			r.resolve(&Refused{Code: Away, Text: w.name + " cannot be reached"})
			w.release(size)
			return
		}
	}
}

// Idle waits until nothing is under way, and returns the reason if that cannot
// be because the writer ended, or ctx's error.
func (w *Writer) Idle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changed.Broadcast()
	})
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.unacked) > 0 && w.err == nil && ctx.Err() == nil {
		w.changed.Wait()
	}
	switch {
	case w.err != nil:
		return w.err
	case len(w.unacked) > 0:
		return ctx.Err()
	}
	return nil
}

// Done is closed when the writer has ended: closed, or failed for good. Err
// then says why.
func (w *Writer) Done() <-chan struct{} { return w.ctx.Done() }

// Err returns why the writer ended: ErrClosed after Close, nil if it has not.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close waits until everything is answered, then ends the stream cleanly. If
// ctx is done first, or the stream failed, it returns an error and what is
// unanswered is answered with that.
func (w *Writer) Close(ctx context.Context) error {
	if err := w.Idle(ctx); err != nil {
		w.Abort(err)
		w.ended.Wait()
		if errors.Is(err, ErrClosed) {
			return nil
		}
		return err
	}
	w.write.Lock()
	w.mu.Lock()
	link, foreign := w.link, w.foreign
	seq := w.seq
	w.closing = true
	w.mu.Unlock()
	var err error
	switch {
	case link != nil:
		_, err = link.data.Write(appendFrameHead(nil, kindEnd, 0, seq+1, 0))
	case foreign != nil:
		err = foreign.end(w.out)
	}
	w.write.Unlock()
	w.Abort(ErrClosed)
	w.ended.Wait()
	if err != nil {
		return fmt.Errorf("ending the stream to %s: %w", w.name, err)
	}
	return nil
}

// Abort ends the writer at once: without a clean end, and with err as the
// answer to all that is not answered.
func (w *Writer) Abort(err error) {
	w.mu.Lock()
	if w.err != nil {
		w.mu.Unlock()
		return
	}
	w.err = err
	for _, r := range w.unacked {
		r.resolve(err)
	}
	w.unacked, w.bytes = nil, 0
	link := w.link
	w.changed.Broadcast()
	w.mu.Unlock()
	w.cancel()
	if link != nil {
		link.close()
	}
	w.close()
}
