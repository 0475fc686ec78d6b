package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/msgblock"
	"github.com/flumekit/flumekit/pkg/fault"
)

// segment is a stretch of the store: a directory with a JetStream stream of its
// own, named after the first place in it.
type segment struct {
	dir   string
	first uint64
	key   []byte
	state state

	// report is what reading needs to know of the files, nil if nobody has
	// looked yet; what it describes is whole.
	report *msgblock.Report
	// stale says that the files have changed since.
	stale bool
	// seen is the place up to which it goes, if all is there.
	seen uint64
	// searched says that damage was looked for in all of the files since the
	// store was opened.
	searched bool
}

const (
	markName   = "mark"
	removed    = "removed-"
	nameDigits = 20
)

func segmentDir(store string, first uint64) string {
	return filepath.Join(store, fmt.Sprintf("%0*d", nameDigits, first))
}

func streamDir(dir string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", streamName)
}

// listSegments returns the segments in a store's directory, in order, and the
// names that are no segment's.
func listSegments(store string) (segments []*segment, others []string, err error) {
	entries, err := os.ReadDir(store)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		first, err := strconv.ParseUint(e.Name(), 10, 64)
		if err != nil || !e.IsDir() || first == 0 || len(e.Name()) != nameDigits {
			others = append(others, e.Name())
			continue
		}
		segments = append(segments, &segment{dir: filepath.Join(store, e.Name()), first: first})
	}
	return segments, others, nil
}

// holds reports whether there is a message in the segment that was not trimmed.
func (g *segment) holds() bool { return g.state.End >= g.state.First }

// options are what can be said of the segment to those who look at its files.
func (g *segment) options() msgblock.Options {
	opt := msgblock.Options{Key: g.key, Subject: subject, Unclosed: !g.state.Closed || g.state.Crashed}
	// What is known to be lost would be found lost again and again.
	if g.state.Closed && len(g.state.Missing) == 0 && g.holds() {
		opt.Want = msgblock.Range{First: max(g.first, g.state.First), Last: g.state.Last}
	}
	return opt
}

// unlock finds the key of the segment. If its state does not tell, the keys are
// tried.
func (g *segment) unlock(ctx context.Context, keys keyring, known bool) (err error) {
	if known {
		g.key, err = keys.find(g.state.Key)
		return err
	}
	for _, key := range slices.Concat([][]byte{nil}, keys.all) {
		if _, err = msgblock.Scan(ctx, streamDir(g.dir), msgblock.Options{Key: key, Unclosed: true, Since: g.mark()}); err == nil {
			g.key, g.state.Key = key, fingerprint(key)
			return nil
		}
	}
	return err
}

func (g *segment) mark() msgblock.Mark {
	mark, err := msgblock.ReadMark(filepath.Join(g.dir, markName))
	if err != nil { // then all is read
		return msgblock.Mark{}
	}
	return mark
}

// damaged is what was found in a segment, to be set aside.
type damaged struct {
	segment *segment
	report  *msgblock.Report
}

func (d *damaged) Error() string {
	var all []string
	for _, one := range d.report.Damage {
		all = append(all, one.String())
	}
	return channel.ErrDamaged.Error() + ": " + strings.Join(all, "; ")
}

func (d *damaged) Unwrap() error { return channel.ErrDamaged }

// look reads what is new in the segment's files since they were looked at, or
// since they were marked. Its error is a damaged if not all is as it should be.
func (g *segment) look(ctx context.Context, opt msgblock.Options) error {
	if g.report != nil {
		opt.Since = g.report.Mark()
	} else if !g.searched {
		opt.Since = g.mark()
	}
	report, err := msgblock.Scan(ctx, streamDir(g.dir), opt)
	if err != nil {
		return err
	}
	if len(report.Damage) > 0 {
		return &damaged{g, report}
	}
	g.report, g.stale = report, false
	return nil
}

// vouch writes down which of the files were found whole, so that they need not
// be looked at again. Without it all is right, and slower.
func (g *segment) vouch(ctx context.Context) {
	if err := g.report.Mark().Write(filepath.Join(g.dir, markName)); err != nil {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("the next start will read more than it need")
	}
}

// mend sets aside what is damaged, if there is a place for it, and finds out
// which messages that has cost. Nothing else may use the segment's files.
func (g *segment) mend(ctx context.Context, d *damaged, aside string) error {
	if aside == "" {
		return fault.Hint(fault.At(d, g.dir), "nothing was changed; let the channel set the damage aside, and it goes on with what is whole")
	}
	crashPoint("mend")
	log := zerolog.Ctx(ctx)
	for _, one := range d.report.Damage {
		line := log.Error()
		if len(one.Lost) == 0 {
			line = log.Warn()
		}
		line.Str("file", one.File).Str("lost", one.Lost.String()).Str("aside", aside).
			Msg("the store is damaged: " + one.String())
	}
	if err := msgblock.Mend(ctx, aside, d.report); err != nil {
		return err
	}
	crashPoint("mended")
	g.report = nil
	g.searched = true
	opt := g.options()
	opt.Want = msgblock.Range{}
	if err := g.look(ctx, opt); err != nil {
		return err
	}
	if err := g.survey(ctx); err != nil {
		return err
	}
	g.vouch(ctx)
	return nil
}

// survey reads all that the segment has and notes which messages are missing
// between those that are there.
func (g *segment) survey(ctx context.Context) error {
	a := assembly{headings: true}
	next := max(g.state.First, g.state.Base+1)
	var missing []channel.Places
	var last channel.Message
	for m, err := range g.report.Read(ctx, g.first, g.report.Last) {
		if err != nil {
			return err
		}
		whole, err := a.add(&m)
		if err != nil || whole == nil {
			continue
		}
		if whole.First > next {
			missing = append(missing, channel.Places{First: next, Last: whole.First - 1})
		}
		next, last = whole.Seq+1, *whole
	}
	g.state.Last = max(g.state.Last, g.report.Last, g.first-1)
	if g.state.Closed { // it is known how far it went
		if next <= g.state.End {
			missing = append(missing, channel.Places{First: next, Last: g.state.End})
		}
	} else {
		g.state.End, g.state.Time = max(g.state.Base, last.Seq), last.Time
	}
	g.state.Missing = missing
	return nil
}

// examine finds out what the state of a segment is that does not say so itself.
func (g *segment) examine(ctx context.Context, aside string) error {
	opt := g.options()
	err := g.look(ctx, opt)
	var d *damaged
	switch {
	case errors.As(err, &d):
		// Below what was lost at the beginning, all was trimmed.
		first := d.report.First
		if lost := d.report.Lost(); len(lost) > 0 {
			first = min(first, lost[0].First)
		}
		g.beginAt(first)
		if err := g.mend(ctx, d, aside); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		g.beginAt(g.report.First)
		if err := g.findEnd(ctx); err != nil {
			return err
		}
	}
	g.state.Closed, g.state.Crashed = true, true
	g.state.Bytes = 0
	for _, b := range g.report.Blocks {
		g.state.Bytes += uint64(b.Size)
	}
	g.save(ctx)
	return nil
}

// beginAt notes that there is nothing before place.
func (g *segment) beginAt(place uint64) {
	if place > g.first { // what was before it was trimmed
		g.state.First = max(g.state.First, place)
	}
	g.state.First = max(g.state.First, g.state.Base+1)
}

// findEnd finds the last message: that is the one before the remains of an
// append that did not come to its end.
func (g *segment) findEnd(ctx context.Context) error {
	g.state.Last = max(g.state.Last, g.report.Last, g.first-1)
	for _, b := range slices.Backward(g.report.Blocks) {
		if len(b.Messages) == 0 {
			continue
		}
		var last channel.Message
		for m, err := range g.report.Read(ctx, b.Messages[0].First, b.Messages[len(b.Messages)-1].Last) {
			if err != nil {
				return err
			}
			if h, err := parseHeading(&m); err == nil && h.last {
				last = channel.Message{Seq: m.Seq, Time: m.Time}
			}
		}
		if last.Seq > 0 {
			g.state.End, g.state.Time = last.Seq, last.Time
			return nil
		}
	}
	if g.report.Messages == 0 && g.report.Last >= g.first { // all was trimmed
		g.state.End = max(g.state.End, g.report.Last)
	}
	g.state.End = max(g.state.End, g.state.Base)
	if g.report.Messages == 0 {
		g.state.First = g.state.End + 1
	}
	return nil
}

// save writes the state. If that cannot be done, it is found out again the next
// time.
func (g *segment) save(ctx context.Context) {
	if err := g.state.write(g.dir); err != nil {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("the next start will read more than it need")
	}
}

// remove removes the segment: by its name at once.
func (g *segment) remove() error {
	away := filepath.Join(filepath.Dir(g.dir), removed+filepath.Base(g.dir))
	if err := os.RemoveAll(away); err != nil {
		return err
	}
	err := os.Rename(g.dir, away)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		crashPoint("removed by name")
		err = os.RemoveAll(away)
	}
	return err
}
