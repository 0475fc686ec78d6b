// Package embedded keeps a channel's messages in JetStream: an embedded
// nats-server that runs in this process and listens nowhere.
//
// The store is a row of segments. Each is a directory, named after the first
// place in it, with a JetStream stream of its own; only the newest is written,
// and one that is full is left as it is until all of it has been taken, and
// then removed as a whole. So neither a start nor a trim depends on how much is
// held: nats-server would read a store that was not closed from one end to the
// other. A server is started with the first append, writes one segment and
// never sees it again unless it was closed in order: what a crash left, or what
// is damaged, nats-server would cut off in its own way (see msgblock).
//
//	store/00000000000000000001/        a segment
//	    state                          what it holds and with which key, see state
//	    mark                           which of its files were found whole
//	    jetstream/$G/streams/channel/  nats-server's
//	store/removed-…                    a segment that is being removed
//
// Messages are read from nats-server's files, without it, and with every
// checksum verified: that of the record and that of the batch. Where something
// is found to be wrong, all of the segment is looked through, what is damaged
// is set aside, and reading goes on with what is whole.
//
// A message's payload is a batch's binary form and nothing else; one that is
// larger than partSize is several records, of which only the last makes it a
// message. The remains of an append that did not come to its end belong to no
// message: they lie between First and Seq of the one that follows.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/msgblock"
	"github.com/flumekit/flumekit/pkg/event"
)

const maxMessage = event.MaxSize + event.HeadSize

// segmentSize is when a segment is full.
const segmentSize = 512 << 20

// sizes are segmentSize and partSize, or what tests have in their place.
type sizes struct {
	segment uint64
	part    int
}

// Store is a channel.Store in a row of segments.
type Store struct {
	conf  channel.StoreConfig
	sizes sizes
	keys  keyring
	ctx   context.Context // has the logger; ends with Close
	end   context.CancelFunc

	// Locks are taken in this order.
	reading sync.Mutex // guards cursor and the segments' reports
	cursor  *cursor
	writing sync.Mutex // guards writer, held, broken
	writer  *writer    // of the last segment, nil: none was started
	held    uint64     // bytes in that
	broken  error      // why nothing is appended any more

	mu       sync.Mutex
	segments []*segment // in order
	last     uint64     // Seq of the last message
	place    uint64     // the last that is in use
	time     time.Time  // of the last message
	trimmed  uint64     // the message up to which all is forgotten
	closed   bool
}

// Open opens the store in conf.Dir. It looks at what a process that did not
// come to its end has left, which is one segment at most, and starts nothing:
// a store on a full disk, or one that cannot be written, can still be read. The
// log of the servers goes to ctx's logger. Open is a channel.OpenStore.
func Open(ctx context.Context, conf channel.StoreConfig) (channel.Store, error) {
	s, err := openSized(ctx, conf, sizes{segment: segmentSize, part: partSize})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openSized(ctx context.Context, conf channel.StoreConfig, sizes sizes) (*Store, error) {
	s := &Store{conf: conf, sizes: sizes, keys: newKeyring(conf.Keys)}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.open(ctx); err != nil {
		s.end()
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := os.MkdirAll(s.conf.Dir, 0o700); err != nil {
		return err
	}
	segments, others, err := listSegments(s.conf.Dir)
	if err != nil {
		return err
	}
	for _, name := range others {
		if strings.HasPrefix(name, removed) {
			if err := os.RemoveAll(filepath.Join(s.conf.Dir, name)); err != nil {
				zerolog.Ctx(ctx).Warn().Err(err).Msg("the rest of a segment that was removed stays")
			}
		}
	}
	for i, g := range segments {
		if err := s.openSegment(ctx, g, i == len(segments)-1); err != nil {
			return err
		}
		s.last, s.place = max(s.last, g.state.End), max(s.place, g.state.Last)
		s.time = g.state.Time
	}
	s.segments = segments
	return nil
}

// openSegment learns from a segment's state, or if that does not tell, from its
// messages, what is in it.
func (s *Store) openSegment(ctx context.Context, g *segment, isLast bool) error {
	var ok bool
	var err error
	if g.state, ok, err = readState(g.dir); err != nil {
		return err
	}
	if !ok {
		g.state = state{Base: g.first - 1, First: g.first, End: g.first - 1, Last: g.first - 1}
		if !isLast {
			zerolog.Ctx(ctx).Warn().Str("segment", g.dir).Msg("its state is lost and will be made anew")
		}
	}
	if err := g.unlock(ctx, s.keys, ok); err != nil {
		return err
	}
	if g.state.Closed {
		return nil
	}
	if err := g.examine(ctx, s.conf.Aside); err != nil {
		return err
	}
	crashPoint("examined")
	return nil
}

// MaxMessage implements channel.Store.
func (s *Store) MaxMessage() int { return maxMessage }

// Append implements channel.Store.
func (s *Store) Append(ctx context.Context, data []byte, totals channel.Totals) (uint64, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.broken != nil {
		return 0, s.broken
	}
	seq, err := s.append(ctx, data, totals)
	if err != nil {
		s.broken = fmt.Errorf("appending to the store: %w", err)
		return 0, s.broken
	}
	return seq, nil
}

func (s *Store) append(ctx context.Context, data []byte, totals channel.Totals) (uint64, error) {
	if len(data) > maxMessage {
		return 0, fmt.Errorf("a message of %d bytes: %d are the most", len(data), maxMessage)
	}
	if err := s.prepare(ctx); err != nil {
		return 0, err
	}
	first, size := s.last+1, s.sizes.part
	parts := max(1, (len(data)+size-1)/size)
	for part := range parts - 1 {
		if err := s.put(ctx, partHeading(part, len(data)), data[part*size:][:size]); err != nil {
			return 0, err
		}
		crashPoint("part")
		if part%garbageParts == garbageParts-1 {
			// The parts' copies are gone; what is held is so much that
			// the collector would let them pile up to as much again.
			runtime.GC()
		}
	}
	if err := s.put(ctx, messageHeading(first, parts, totals), data[(parts-1)*size:]); err != nil {
		return 0, err
	}
	crashPoint("appended")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.time = s.place, time.Now()
	return s.last, nil
}

// garbageParts is how many parts' garbage is put up with.
const garbageParts = 6

// put appends a record.
func (s *Store) put(ctx context.Context, header map[string][]string, data []byte) error {
	seq, err := s.writer.append(ctx, header, data)
	if err != nil {
		return err
	}
	if seq != s.place+1 {
		return fmt.Errorf("nats-server put a record in place %d; it should be in %d", seq, s.place+1)
	}
	s.held += uint64(len(data)) + recordSize
	s.mu.Lock()
	s.place = seq
	s.mu.Unlock()
	return nil
}

// recordSize is about what nats-server and our headers add to the data.
const recordSize = 100

// prepare sees that there is a server on a segment that has room.
func (s *Store) prepare(ctx context.Context) error {
	if s.writer != nil {
		if s.held < s.sizes.segment {
			return nil
		}
		if err := s.retire(ctx); err != nil {
			return err
		}
	} else if resumed, err := s.resume(ctx); resumed || err != nil {
		return err
	}
	return s.begin(ctx)
}

// resume goes on writing the last segment, if it has room, was closed in order
// and is as it was then.
func (s *Store) resume(ctx context.Context) (bool, error) {
	if len(s.segments) == 0 {
		return false, nil
	}
	g := s.segments[len(s.segments)-1]
	if !g.state.Closed || !g.state.Resumable || g.state.Bytes >= s.sizes.segment || g.state.Key != fingerprint(s.keys.active) {
		return false, nil
	}
	// nats-server reads the last block before it goes on there, and cuts off
	// what is behind damage.
	opt := g.options()
	if opt.Since = g.mark(); len(opt.Since.Blocks) > 0 {
		opt.Since.Blocks = opt.Since.Blocks[:len(opt.Since.Blocks)-1]
	}
	if report, err := msgblock.Scan(ctx, streamDir(g.dir), opt); err != nil || !report.Whole() {
		return false, nil // reading will say what it is
	}
	open := g.state
	open.Closed, open.Resumable = false, false
	if err := open.write(g.dir); err != nil {
		return false, fmt.Errorf("opening the last segment: %w", err)
	}
	crashPoint("resumed")
	w, err := startWriter(s.ctx, g.dir, g.first, g.key, s.conf.SyncInterval)
	if err != nil {
		return false, err
	}
	last, held, err := w.last(ctx)
	if err == nil && last == s.place {
		s.writer, s.held = w, held
		s.mu.Lock()
		g.state = open
		s.mu.Unlock()
		return true, nil
	}
	// The files are not what its state says. They are left to those who read
	// them.
	if err := w.stop(); err != nil {
		return false, err
	}
	open.Closed = true
	if err := open.write(g.dir); err != nil {
		return false, fmt.Errorf("closing the last segment: %w", err)
	}
	s.mu.Lock()
	g.state = open
	s.mu.Unlock()
	return false, nil
}

// begin begins a new segment.
func (s *Store) begin(ctx context.Context) error {
	g := &segment{first: s.place + 1, key: s.keys.active}
	g.dir = segmentDir(s.conf.Dir, g.first)
	g.state = state{Base: s.last, First: s.last + 1, Last: s.place, End: s.last, Time: s.time, Key: fingerprint(g.key)}
	if n := len(s.segments); n > 0 && s.segments[n-1].first == g.first { // it was begun, and nothing is in it
		if err := s.segments[n-1].remove(); err != nil {
			return fmt.Errorf("beginning a segment: %w", err)
		}
		s.mu.Lock()
		s.segments = s.segments[:n-1]
		s.mu.Unlock()
	}
	err := os.Mkdir(g.dir, 0o700)
	if errors.Is(err, fs.ErrExist) { // so it was by this process, which could not go on
		if err = g.remove(); err == nil {
			err = os.Mkdir(g.dir, 0o700)
		}
	}
	crashPoint("made")
	if err == nil {
		err = g.state.write(g.dir)
	}
	if err == nil {
		err = syncDir(s.conf.Dir)
	}
	if err != nil {
		return fmt.Errorf("beginning a segment: %w", err)
	}
	crashPoint("begun")
	if s.writer, err = startWriter(s.ctx, g.dir, g.first, g.key, s.conf.SyncInterval); err != nil {
		return fmt.Errorf("beginning a segment: %w", err)
	}
	crashPoint("started")
	s.held = 0
	s.mu.Lock()
	s.segments = append(s.segments, g)
	s.mu.Unlock()
	return nil
}

// retire closes the segment that is written. The next append begins another or,
// if this one has room and resumable is set, goes on with it.
func (s *Store) retire(ctx context.Context) error {
	g := s.segments[len(s.segments)-1]
	err := s.writer.stop()
	s.writer = nil
	crashPoint("stopped")
	if err != nil {
		return err
	}
	s.close(g)
	if err := g.state.write(g.dir); err != nil {
		return fmt.Errorf("closing a segment: %w", err)
	}
	crashPoint("closed")
	return nil
}

// Bounds implements channel.Store.
func (s *Store) Bounds(context.Context) (first, last uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, last = s.bounds()
	return first, last, nil
}

// bounds is Bounds; s.mu is held.
func (s *Store) bounds() (first, last uint64) {
	for _, g := range s.segments {
		if first = g.state.First; g.holds() || g == s.segments[len(s.segments)-1] {
			break
		}
	}
	return min(max(first, s.trimmed+1), s.last+1), s.last
}

// Missing implements channel.Store.
func (s *Store) Missing() []channel.Places {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missing()
}

// missing is Missing; s.mu is held.
func (s *Store) missing() (all []channel.Places) {
	first, last := s.bounds()
	add := func(p channel.Places) {
		if p.First, p.Last = max(p.First, first), min(p.Last, last); p.First <= p.Last {
			all = append(all, p)
		}
	}
	var end uint64
	for i, g := range s.segments {
		if i > 0 && g.state.Base > end { // segments are gone
			add(channel.Places{First: end + 1, Last: g.state.Base})
		}
		for _, p := range g.state.Missing {
			add(p)
		}
		end = max(end, g.state.End)
	}
	return all
}

// Trim implements channel.Store. Of a segment that is not written any more it
// forgets either all, or what it forgets comes back when the store is opened
// the next time.
func (s *Store) Trim(ctx context.Context, upTo uint64) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.trim(ctx, upTo); err != nil {
		return fmt.Errorf("trimming the store to %d: %w", upTo, err)
	}
	return nil
}

func (s *Store) trim(ctx context.Context, upTo uint64) error {
	s.mu.Lock()
	upTo = min(upTo, s.last)
	s.trimmed = max(s.trimmed, upTo)
	all := s.trimmed == s.last
	segments := slices.Clone(s.segments)
	s.mu.Unlock()
	if len(segments) == 0 || s.broken != nil {
		return nil
	}
	if newest := segments[len(segments)-1]; s.writer != nil {
		if upTo >= newest.first {
			s.forgetReading(newest)
			if err := s.writer.trim(ctx, upTo); err != nil {
				return err
			}
			crashPoint("trimmed")
			_, held, err := s.writer.last(ctx)
			if err != nil {
				return err
			}
			s.held = held
			s.mu.Lock()
			newest.state.First = max(newest.state.First, upTo+1)
			s.mu.Unlock()
		}
	} else if all && newest.state.Bytes > emptyBytes {
		// All of it can go once there is another that says how far the
		// store has come.
		if s.begin(ctx) != nil {
			// On a full disk there is room for it only without what it
			// is to replace. If that goes wrong, too, messages are
			// missing that were forgotten before.
			s.forgetReading(newest)
			if err := os.RemoveAll(filepath.Join(newest.dir, "jetstream")); err != nil {
				return err
			}
			if err := s.begin(ctx); err != nil {
				return err
			}
		}
	}
	for _, g := range segments {
		if g.state.End > s.trimmed || g == s.segments[len(s.segments)-1] {
			break
		}
		s.forgetReading(g)
		if err := g.remove(); err != nil {
			return err
		}
		crashPoint("removed")
		s.mu.Lock()
		s.segments = slices.DeleteFunc(s.segments, func(o *segment) bool { return o == g })
		s.mu.Unlock()
	}
	return nil
}

// emptyBytes is what the last segment may hold in vain while nothing is
// appended.
const emptyBytes = 1 << 20

// Close implements channel.Store. It waits for the disk for a bounded time. What
// was appended is safe before; what Close cannot write any more is found out
// again when the store is opened.
func (s *Store) Close() error {
	s.end()
	s.reading.Lock()
	defer s.reading.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.forgetReading(nil)
	if s.writer == nil {
		return nil
	}
	if s.broken != nil {
		return s.writer.stop()
	}
	s.broken = channel.ErrClosed
	return s.closeWriter()
}

// closeWriter closes the segment that is written so that another process can go
// on with it, having looked at all that was written to it.
func (s *Store) closeWriter() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), patience)
	defer cancel()
	g := s.segments[len(s.segments)-1]
	if err := s.writer.stop(); err != nil {
		return err
	}
	s.writer = nil
	crashPoint("stopped")
	opt := g.options()
	opt.Want = msgblock.Range{First: max(g.first, g.state.First), Last: s.place}
	if opt.Want.First > opt.Want.Last {
		opt.Want = msgblock.Range{}
	}
	if err := g.look(ctx, opt); err != nil {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("the last segment will be looked through by the next process")
		return nil
	}
	g.vouch(ctx)
	crashPoint("vouched")
	g.state.Resumable = true
	s.close(g)
	g.save(ctx)
	crashPoint("closed")
	return nil
}

// close notes what the segment that was written has come to.
func (s *Store) close(g *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.state.Closed = true
	g.state.Last, g.state.End, g.state.Time, g.state.Bytes = s.place, s.last, s.time, s.held
}
