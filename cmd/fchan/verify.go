// Verify checks that a channel is sound, and changes nothing:
//
//	fchan verify /var/spool/c1
//	fchan verify /var/spool/c1 --json | jq .lost
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. If no process has the directory, everything in it is read: every record
// of the store's files, every batch, the ledger, and whether they agree. If one has,
// or ADDR is a socket, that process reads what it holds, undisturbed, and each batch
// is checked as it comes; the files themselves can be checked only at rest.
//
// What is found is told line by line, and how many events are lost by it, exactly.
// To mend it, open the channel: it sets aside what is damaged and goes on with all
// the rest (see the file channel's property on-damage).
//
// The exit status is 0 if all is sound, and 1 if anything is damaged, also where
// nothing is lost by it, or if the channel cannot be read.

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

//go:embed verify.go
var verifySource string

// verdict is what was found.
type verdict struct {
	Sound   bool   `json:"sound"`
	Process int    `json:"process,omitempty"` // that was asked; 0: the files were read
	Files   int    `json:"files,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"` // in them
	First   uint64 `json:"first,omitempty"` // place of the first message that is whole
	Last    uint64 `json:"last,omitempty"`
	Batches int    `json:"batches"`
	Events  uint64 `json:"events"`
	Held    uint64 `json:"held"` // of the events
	Lost    uint64 `json:"lost"` // events that should be held
	// LostBefore are lost, too, and that was found before.
	LostBefore uint64 `json:"lost_before,omitempty"`
	// Missing are the places of messages that are lost, and Known those of
	// which that was found before.
	Missing []channel.Places `json:"missing,omitempty"`
	Known   []channel.Places `json:"known,omitempty"`
	Damage  []string         `json:"damage,omitempty"`
}

func runVerify(ctx, stop context.Context, args []string) error {
	var how answerOptions
	cmd, err := cli.Parse(program, lookCatalog("verify", "Check that a channel is sound.", verifySource), args, cli.Group{Title: "The answer", Options: &how, Command: true})
	if err != nil {
		return err
	}
	_, ctx = cmd.Contexts(ctx, stop)
	v, err := verify(ctx, cmd.Options)
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	v.Sound = len(v.Damage) == 0 && len(v.Missing) == 0 && v.Lost == 0
	if how.JSON {
		err = writeJSON(os.Stdout, v)
	} else {
		err = v.write(os.Stdout)
	}
	switch {
	case err != nil || v.Sound:
		return err
	case v.Process != 0:
		return fmt.Errorf("the channel is damaged")
	}
	return fault.Hint(fmt.Errorf("the channel is damaged: %s", v.loss()),
		"to set the damage aside and go on with all the rest, open it: fchan take %s | ...", cmd.Options.Dir)
}

// loss says what was not known before to be lost.
func (v *verdict) loss() string {
	if v.Lost == 0 {
		return "nothing is lost"
	}
	return isAre(v.Lost) + " lost"
}

func isAre(n uint64) string {
	if n == 1 {
		return "1 event is"
	}
	return digits(n) + " events are"
}

// verify checks a channel at rest or asks the process that has it.
func verify(ctx context.Context, options *lookOptions) (*verdict, error) {
	dir, addr, err := channel.Address(options.Dir)
	if err != nil {
		return nil, fault.WithStatus(err, fault.Usage)
	}
	if addr == "" {
		if _, err := os.Stat(filepath.Join(dir, "format")); err == nil {
			locked, err := channel.LookDir(dir)
			if err == nil {
				defer locked.Close()
				return verifyFiles(ctx, options, locked)
			}
			if !errors.Is(err, channel.ErrInUse) {
				return nil, err
			}
		}
	}
	access, err := options.look(ctx)
	if err != nil {
		return nil, err
	}
	v, err := verifyHeld(ctx, access)
	return v, errors.Join(err, access.Close())
}

// verifyFiles reads everything in a channel's directory.
func verifyFiles(ctx context.Context, options *lookOptions, dir *channel.Dir) (*verdict, error) {
	keys, err := options.Encryption.Open()
	if err != nil {
		return nil, err
	}
	check, err := dir.Check()
	if err != nil {
		return nil, err
	}
	v := new(verdict)
	report, err := embedded.Verify(ctx, channel.StoreConfig{Dir: dir.Store(), Keys: keys}, check.Message)
	if errors.Is(err, os.ErrNotExist) { // nothing was ever put
		report, err = new(embedded.Report), nil
	}
	if err != nil {
		return nil, err
	}
	v.Files, v.Bytes, v.Batches = report.Files, report.Size, report.Messages
	losses, err := dir.Losses()
	if err != nil {
		return nil, err
	}
	v.First, v.Last, v.Events, v.Held = check.First, check.Last, check.Events, check.Held
	v.LostBefore = check.LostBefore(losses, report.Known)
	v.Lost = check.Lost() - v.LostBefore
	v.Missing, v.Known, v.Damage = report.Missing, report.Known, append(report.Damage, check.Problems...)
	return v, nil
}

// verifyHeld reads all that a running channel holds.
func verifyHeld(ctx context.Context, access *channel.Access) (*verdict, error) {
	s, err := access.Stat(ctx)
	if err != nil {
		return nil, err
	}
	v := &verdict{Process: s.Process}
	if s.Down != nil {
		v.Damage = append(v.Damage, "the channel's store does not work: "+s.Down.Reason)
	}
	for shown, err := range access.Browse(ctx, channel.Span{}) {
		switch {
		case errors.Is(err, event.ErrMalformed):
			v.Damage = append(v.Damage, err.Error())
			continue
		case err != nil:
			return nil, err
		}
		if v.First == 0 {
			v.First = shown.Seq
		}
		v.Last = shown.Seq
		v.Batches++
		v.Events += uint64(shown.Batch.Len())
	}
	v.Held = v.Events
	return v, nil
}

// write writes v for a person.
func (v *verdict) write(w io.Writer) error {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	if v.Process == 0 {
		line("files", "%s, %s", plural(v.Files, "file", "files"), size(uint64(v.Bytes)))
	} else {
		line("files", "process %d has them: they can be checked only at rest", v.Process)
	}
	if v.Batches > 0 {
		line("messages", "%d to %d: %s in %s are whole", v.First, v.Last, pluralOf(v.Events, "event"), plural(v.Batches, "batch", "batches"))
	}
	line("held", "%s", pluralOf(v.Held, "event"))
	for _, damage := range v.Damage {
		line("damage", "%s", damage)
	}
	for _, p := range v.Missing {
		line("missing", "%s", places(p.First, p.Last))
	}
	for _, p := range v.Known {
		line("missing", "%s, as was found before", places(p.First, p.Last))
	}
	switch {
	case v.Sound && v.LostBefore > 0:
		line("sound", "%s lost to damage that was found before", isAre(v.LostBefore))
	case v.Sound:
		line("sound", "nothing is lost")
	default:
		line("damaged", "%s", v.loss())
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// places says which messages are meant.
func places(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("message %d", first)
	}
	return fmt.Sprintf("messages %d to %d", first, last)
}
