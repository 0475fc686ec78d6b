package hdfs

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/escape"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/serializer"
)

// maxUnderReplicated is how many files in a row are completed because their
// blocks have too few copies.
const maxUnderReplicated = 30

// buckets is the running sink: a bucket for each directory and prefix.
type buckets struct {
	opt    *Options
	fs     fileSystem
	codec  *codec
	suffix string
	log    *zerolog.Logger

	appends bool // to files that are there

	dirs, prefixes *escape.Template
	slots          chan struct{}  // one for each file that is called at a time
	stopping       chan struct{}  // closed by Close: no more waiting
	closing        sync.WaitGroup // files that are being completed, and the search for old ones
	inUse          paths
	glob           string // what files in use are named like

	mu      sync.Mutex // guards what follows, which Write and the timers share
	open    map[string]*bucket
	recent  *list.List // of buckets with files, the last used one first
	where   []*bucket  // that the events of a batch are for
	touched []*bucket  // each of them once
	key     []byte

	failed struct {
		sync.Mutex
		errs []error // of files that could not be completed
	}
}

// bucket is a directory and prefix, and its file.
type bucket struct {
	key         string
	dir, prefix string
	number      int64 // of the last file
	touched     bool  // the batch has events for it

	out     *output // nil until there is an event to write
	recent  *list.Element
	roll    *time.Timer
	idle    *time.Timer
	pending event.Batch // of the batch, not written yet

	events, size int64 // of the file, with pending
	delivered    struct{ events, size int64 }
	thin         int // files in a row that ended because of too few copies
}

func start(ctx context.Context, opt *Options, in fileSystem, dirs, prefixes *escape.Template, c *codec, suffix string, appends bool) *buckets {
	k := &buckets{
		opt: opt, fs: in, codec: c, suffix: suffix, log: zerolog.Ctx(ctx),
		dirs: dirs, prefixes: prefixes,
		slots:    make(chan struct{}, opt.ThreadsPoolSize),
		stopping: make(chan struct{}),
		open:     make(map[string]*bucket),
		recent:   list.New(),
	}
	// Flume: a SequenceFile is appended to as well, and cannot be read then.
	k.appends = appends && opt.FileType != "SequenceFile"
	k.glob = dirs.Glob() + "/" + opt.InUsePrefix + prefixes.Glob() + ".*" + suffix + opt.InUseSuffix
	k.closing.Go(k.completeLeftovers)
	return k
}

func (k *buckets) Write(ctx context.Context, b *event.Batch) error {
	if err := ctx.Err(); err != nil || b.Len() == 0 {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.release()
	if err := k.assign(b); err != nil {
		return err
	}
	return k.deliver(ctx, b)
}

// assign finds the bucket of each event, before anything is written.
func (k *buckets) assign(b *event.Batch) error {
	k.where, k.touched = k.where[:0], k.touched[:0]
	now := time.Now()
	for e := range b.All() {
		var err error
		if k.key, err = k.dirs.Append(k.key[:0], e.Headers, now); err != nil {
			return fmt.Errorf("expanding hdfs.path: %w", err)
		}
		cut := len(k.key)
		if k.key, err = k.prefixes.Append(append(k.key, '/'), e.Headers, now); err != nil {
			return fmt.Errorf("expanding hdfs.filePrefix: %w", err)
		}
		bk := k.open[string(k.key)]
		if bk == nil {
			key := string(k.key)
			bk = &bucket{key: key, dir: key[:cut], prefix: key[cut+1:], number: now.UnixMilli()}
			k.open[key] = bk
		}
		if !bk.touched {
			bk.touched = true
			k.touched = append(k.touched, bk)
		}
		k.where = append(k.where, bk)
	}
	return nil
}

// release ends a write: what was not delivered is forgotten, since another batch
// may come next, and so are buckets without a file.
func (k *buckets) release() {
	for _, bk := range k.touched {
		bk.touched = false
		bk.pending.Reset()
		bk.events, bk.size = bk.delivered.events, bk.delivered.size
		if bk.out == nil {
			k.forget(bk)
		} else if k.opt.IdleTimeout > 0 {
			bk.idle = k.after(k.opt.IdleTimeout.Duration(), bk)
		}
	}
}

// deliver writes b to its buckets.
func (k *buckets) deliver(ctx context.Context, b *event.Batch) error {
	for _, bk := range k.touched {
		if bk.idle != nil {
			bk.idle.Stop()
		}
	}
	if bk := k.touched[0]; len(k.touched) == 1 && k.fits(bk, b) {
		return k.flush(ctx, bk, b)
	}
	i := 0
	for e := range b.All() {
		bk := k.where[i]
		i++
		if k.full(bk) {
			if err := k.flush(ctx, bk, &bk.pending); err != nil {
				return err
			}
			k.countThin(bk)
			k.finish(bk)
		}
		bk.pending.Append(e)
		bk.events++
		bk.size += int64(len(e.Body))
	}
	return k.flushAll(ctx)
}

// fits reports whether b is sure to go into bk's file whole.
func (k *buckets) fits(bk *bucket, b *event.Batch) bool {
	if k.full(bk) ||
		k.opt.RollCount > 0 && bk.events+int64(b.Len()) > int64(k.opt.RollCount) ||
		k.opt.RollSize > 0 && bk.size+int64(b.Size()) > int64(k.opt.RollSize) {
		return false
	}
	bk.events += int64(b.Len())
	for e := range b.All() {
		bk.size += int64(len(e.Body))
	}
	return true
}

// full reports whether bk's file is to be completed before the next event.
func (k *buckets) full(bk *bucket) bool {
	if bk.out == nil && bk.pending.Len() == 0 {
		return false
	}
	if bk.out != nil && bk.out.f.stale() {
		return true
	}
	if _, _, thin := k.copies(bk); thin && bk.thin < maxUnderReplicated {
		return true
	}
	return k.opt.RollCount > 0 && bk.events >= int64(k.opt.RollCount) ||
		k.opt.RollSize > 0 && bk.size >= int64(k.opt.RollSize)
}

// copies returns how many copies the last block of bk's file has, how many it is
// to have, and whether that is known and more.
func (k *buckets) copies(bk *bucket) (have, want int, thin bool) {
	if bk.out == nil {
		return -1, 0, false
	}
	have, want = bk.out.f.replicas(), k.replicas()
	return have, want, have >= 0 && have < want
}

// countThin counts the files in a row that end with too few copies.
//
// Flume: after that many nothing but time ends them; here size and count still do.
func (k *buckets) countThin(bk *bucket) {
	have, want, thin := k.copies(bk)
	switch {
	case !thin:
		bk.thin = 0
	case bk.thin < maxUnderReplicated:
		k.log.Warn().Str("file", bk.out.path).Int("copies", have).Int("wanted", want).Msg("Block Under-replication detected. Rotating file.")
		if bk.thin++; bk.thin == maxUnderReplicated {
			k.log.Error().Str("directory", bk.dir).Msgf("Hit max consecutive under-replication rotations (%d); will not continue rolling files under this path due to under-replication", maxUnderReplicated)
		}
	}
}

func (k *buckets) replicas() int {
	if k.opt.MinBlockReplicas >= 0 {
		return int(k.opt.MinBlockReplicas)
	}
	return k.fs.replicas()
}

// flushAll has all pending events delivered, to several files at a time.
func (k *buckets) flushAll(ctx context.Context) error {
	for _, bk := range k.touched {
		if bk.pending.Len() > 0 && bk.out == nil {
			if err := k.create(ctx, bk); err != nil {
				return err
			}
		}
	}
	errs := make([]error, len(k.touched))
	var all sync.WaitGroup
	for i, bk := range k.touched {
		if bk.pending.Len() == 0 {
			continue
		}
		k.slots <- struct{}{}
		all.Go(func() {
			defer func() { <-k.slots }()
			errs[i] = bk.out.deliver(ctx, &bk.pending)
		})
	}
	all.Wait()
	for i, bk := range k.touched {
		errs[i] = k.delivered(bk, errs[i])
	}
	return errors.Join(errs...)
}

// flush has b delivered, to one file.
func (k *buckets) flush(ctx context.Context, bk *bucket, b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	if bk.out == nil {
		if err := k.create(ctx, bk); err != nil {
			return err
		}
	}
	err := bk.out.deliver(ctx, b)
	bk.pending.Reset()
	return k.delivered(bk, err)
}

// delivered does what is to be done after a delivery, or a failed one, whose
// error it returns.
func (k *buckets) delivered(bk *bucket, err error) error {
	switch {
	case err == nil:
		if bk.out != nil {
			k.recent.MoveToFront(bk.recent)
		}
		bk.delivered.events, bk.delivered.size = bk.events, bk.size
	case errors.Is(err, errEvent):
		bk.events, bk.size = bk.delivered.events, bk.delivered.size
	default:
		err = fmt.Errorf("writing to %s: %w", bk.out.path, err)
		k.detach(bk, true)
	}
	return err
}

// create makes the next file of bk.
func (k *buckets) create(ctx context.Context, bk *bucket) error {
	for k.recent.Len() >= int(k.opt.MaxOpenFiles) {
		oldest := k.recent.Back().Value.(*bucket)
		if oldest.pending.Len() > 0 {
			if err := k.flush(ctx, oldest, &oldest.pending); err != nil {
				return err
			}
		}
		if oldest.out != nil {
			k.detach(oldest, false)
		}
	}
	for {
		bk.number++
		n := name{dir: bk.dir, prefix: bk.prefix, number: bk.number, suffix: k.suffix}
		out, err := k.createAs(ctx, n)
		if errors.Is(err, fs.ErrExist) {
			// Flume: a file of that name is overwritten, unless it may be
			// appended to.
			continue
		}
		if err != nil {
			return fmt.Errorf("making %s: %w", n.inUse(k.opt.InUsePrefix, k.opt.InUseSuffix), err)
		}
		bk.out = out
		break
	}
	bk.recent = k.recent.PushFront(bk)
	bk.delivered.events, bk.delivered.size = 0, 0
	if k.opt.RollInterval > 0 {
		bk.roll = k.after(k.opt.RollInterval.Duration(), bk)
	}
	return nil
}

func (k *buckets) createAs(ctx context.Context, n name) (*output, error) {
	out := &output{name: n, path: n.inUse(k.opt.InUsePrefix, k.opt.InUseSuffix), bound: k.opt.CallTimeout.Duration()}
	k.inUse.add(out.path)
	made, ended := make(chan opened, 1), make(chan struct{})
	err := within(ctx, out.bound, out.path, ended, func(ctx context.Context) error {
		f, err := k.openAs(ctx, out.path)
		if err == nil {
			made <- f
		}
		return err
	})
	select {
	case <-ended:
	default:
		k.closing.Go(func() { k.dropLate(out, made, ended) })
		return nil, err
	}
	if err == nil {
		out.take(<-made)
		if out.to, err = k.format(out, out.delivered > 0); err != nil {
			k.closing.Go(func() { k.complete(out, true) })
			return nil, err
		}
	}
	if err != nil {
		k.inUse.remove(out.path)
		if errors.Is(err, errUnanswered) {
			k.closing.Go(func() { k.completeAll([]*leftover{{path: out.path, name: n, own: true}}) })
		}
		return nil, err
	}
	return out, nil
}

// openAs makes a file, or opens one that is there.
func (k *buckets) openAs(ctx context.Context, path string) (opened, error) {
	f, err := k.fs.create(ctx, path)
	if !errors.Is(err, fs.ErrExist) || !k.appends {
		return opened{f, 0}, err
	}
	f, size, err := k.fs.reopen(ctx, path)
	if errors.Is(err, errInUse) {
		err = fs.ErrExist
	}
	return opened{f, size}, err
}

// dropLate gives up a file that is made after it was waited for in vain.
func (k *buckets) dropLate(out *output, made <-chan opened, ended <-chan struct{}) {
	select {
	case <-ended:
	case <-k.stopping:
	}
	select {
	case f := <-made:
		out.take(f)
		k.complete(out, true)
	default:
		k.inUse.remove(out.path)
	}
}

// format returns what turns events into the content of a file.
func (k *buckets) format(out *output, appending bool) (serializer.Serializer, error) {
	switch k.opt.FileType {
	case "DataStream":
		return k.opt.Serializer.Build(out, appending)
	case "CompressedStream":
		return newCompressedStream(out, k.codec, k.opt.Serializer, appending)
	}
	return newSequenceFile(out, sequenceOptions{codec: k.codec, record: k.opt.CompressionType == "record", text: k.opt.WriteFormat == "Text"})
}

// after completes bk's file after d, if that is still the same.
func (k *buckets) after(d time.Duration, bk *bucket) *time.Timer {
	out := bk.out
	return time.AfterFunc(d, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if bk.out == out {
			k.detach(bk, false)
		}
	})
}

// detach takes a bucket's file away for completion and forgets the bucket, so
// that the next file is numbered by the time.
func (k *buckets) detach(bk *bucket, spoiled bool) {
	k.takeFile(bk, spoiled)
	if !bk.touched {
		k.forget(bk)
	}
}

// forget forgets a bucket, unless its numbers are ahead of the clock: the next
// file is to have a higher one.
func (k *buckets) forget(bk *bucket) {
	if now := time.Now().UnixMilli(); bk.number < now {
		delete(k.open, bk.key)
	}
}

// finish takes the bucket's file away; the next one is numbered one higher.
func (k *buckets) finish(bk *bucket) {
	if bk.out != nil {
		k.takeFile(bk, false)
	}
}

func (k *buckets) takeFile(bk *bucket, spoiled bool) {
	for _, timer := range []*time.Timer{bk.roll, bk.idle} {
		if timer != nil {
			timer.Stop()
		}
	}
	k.recent.Remove(bk.recent)
	out := bk.out
	bk.out, bk.recent, bk.roll, bk.idle = nil, nil, nil, nil
	bk.events, bk.size = 0, 0
	bk.delivered.events, bk.delivered.size = 0, 0
	if spoiled {
		out.abandon()
	}
	k.closing.Go(func() { k.complete(out, spoiled) })
}

func (k *buckets) Close() error {
	k.mu.Lock()
	for _, bk := range k.open {
		if bk.out != nil {
			k.detach(bk, false)
		}
	}
	k.mu.Unlock()
	close(k.stopping)
	k.closing.Wait()
	return errors.Join(append(k.failed.errs, k.fs.close())...)
}
