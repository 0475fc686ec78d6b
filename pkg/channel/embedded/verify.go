package embedded

import (
	"context"
	"fmt"
	"strings"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/msgblock"
)

// Report is what Verify found.
type Report struct {
	Segments int
	Files    int   // that hold messages
	Size     int64 // of those, in bytes
	Messages int   // that are whole

	// Missing are the places between the first and the last message that is
	// whole under which nothing is found, Known those of which that was known
	// before: the damage was set aside, and reported.
	Missing, Known []channel.Places
	// Damage is what is not as it was written, a line for each. Where nothing
	// is lost by it, the line says that it can be restored.
	Damage []string
}

// Verify reads the whole store in conf.Dir, which nobody may have open, verifies
// every checksum, and changes nothing. Each message that is whole is handed to each,
// in order; it is valid until each returns. The error says why the store cannot be
// read; damage is no error.
func Verify(ctx context.Context, conf channel.StoreConfig, each func(channel.Message)) (*Report, error) {
	v := &verifier{keys: newKeyring(conf.Keys), each: each}
	segments, _, err := listSegments(conf.Dir)
	if err != nil {
		return nil, fmt.Errorf("verifying the store: %w", err)
	}
	for _, g := range segments {
		if err := v.segment(ctx, g); err != nil {
			return nil, fmt.Errorf("verifying %s: %w", g.dir, err)
		}
	}
	v.report.Segments = len(segments)
	return &v.report, nil
}

type verifier struct {
	keys   keyring
	each   func(channel.Message)
	last   uint64 // Seq of the last message that was whole, 0: there was none
	report Report
}

func (v *verifier) segment(ctx context.Context, g *segment) error {
	var ok bool
	var err error
	if g.state, ok, err = readState(g.dir); err != nil {
		return err
	}
	if !ok {
		v.damage("%s: the segment's state is not whole; it can be made anew from the messages", g.dir)
	}
	if err := g.unlock(ctx, v.keys, ok); err != nil {
		return err
	}
	v.report.Known = append(v.report.Known, g.state.Missing...)
	files, err := msgblock.Scan(ctx, streamDir(g.dir), g.options())
	if err != nil {
		return err
	}
	for _, d := range files.Damage {
		lost := ""
		if d.Restored {
			lost = "; nothing is lost, it can be restored"
		}
		v.damage("%s%s", strings.TrimSuffix(d.String(), "."), lost)
	}
	for _, b := range files.Blocks {
		v.report.Files++
		v.report.Size += b.Size
	}
	return v.messages(ctx, g, files)
}

// messages reads the messages of a segment.
func (v *verifier) messages(ctx context.Context, g *segment, files *msgblock.Report) error {
	var a assembly
	for record, err := range files.Read(ctx, g.first, files.Last) {
		if err != nil {
			return err
		}
		m, err := a.add(&record)
		switch {
		case err != nil:
			v.damage("%s: %v", g.dir, err)
		case m == nil:
		case !whole(m.Data):
			v.damage("%s: message %d: the checksum of its batch is wrong", g.dir, m.Seq)
		default:
			v.message(*m)
		}
	}
	return nil
}

func (v *verifier) message(m channel.Message) {
	if v.last > 0 && m.First > v.last+1 && !covered(v.report.Known, v.last+1, m.First-1) {
		v.report.Missing = append(v.report.Missing, channel.Places{First: v.last + 1, Last: m.First - 1})
	}
	v.last = m.Seq
	v.report.Messages++
	v.each(m)
}

func (v *verifier) damage(format string, args ...any) {
	v.report.Damage = append(v.report.Damage, fmt.Sprintf(format, args...))
}
