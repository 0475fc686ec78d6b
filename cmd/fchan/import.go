// Import puts the events of files into a channel, and ends when all of them are
// committed:
//
//	fchan import /var/spool/c1 c1.jsonl
//	fchan import unix:/run/c1.sock part-*.avro
//	fchan export /var/spool/c1 --format frame | fchan import /var/spool/c2 -
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. The files are what fchan export writes: JSON lines, Avro object container
// files with Flume's event schema, frames; of any other, each line is one event.
// They are put one after the other; - is standard input, and so is no file at all.
//
// # Out of Flume
//
// With --from-flume the events come from a file channel of Flume 1.x: all that its
// directories hold that was put and not taken, in their order, so that a migration
// loses nothing that was in flight. DIR is the checkpoint directory, a data
// directory, or one that has both below it; it may be given several times:
//
//	fchan import /var/spool/c1 --from-flume ~/.flume/file-channel
//	fchan import /var/spool/c1 --flume-conf flume.conf --flume-channel a1.c1
//
// With --flume-conf the directories are those of the channel in Flume's own
// configuration, and so are the keys, if its files are encrypted.
//
// A channel that a running Flume has is refused: stop the agent first. When all is
// committed, Flume's files are moved into a directory imported-by-fchan beside
// them, or left where they are with --keep. If the command is killed before that,
// run it again: nothing is lost, but what had been put is put a second time.
//
// Records that are damaged are told of, each with its place; all others are put,
// and the exit status is then 3.
//
// The last line on standard error says how many events were committed, with --json
// also one object on standard output: {"committed":3,"damaged":0}.

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/channel/flumelog"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed import.go
var importSource string

var importCatalog = component.Catalog[*file.Options]{{
	Name:    "import",
	Summary: "Put files, or the file channel of a Flume, into a channel.",
	Manual:  component.Manual(importSource),
	Target:  &component.Target{Placeholder: "ADDR [FILE ...]", Properties: component.Single("ADDR", "dir").Properties, More: "file"},
	New:     file.Visitor,
}}

type importOptions struct {
	Files        []string `name:"file" sep:"none" placeholder:"FILE" help:"A file to read; the same as FILE after ADDR."`
	FromFlume    []string `name:"from-flume" sep:"none" placeholder:"DIR" help:"Read a directory of Flume's file channel."`
	FlumeConf    string   `name:"flume-conf" placeholder:"FILE" help:"Read the file channel that Flume's configuration FILE has."`
	FlumeChannel string   `name:"flume-channel" placeholder:"AGENT.CHANNEL" help:"Which one of --flume-conf; needed where it has several."`
	Keep         bool     `name:"keep" help:"Leave Flume's files where they are."`
}

// flume returns where the file channel of a Flume lies, if one is to be read.
func (o *importOptions) flume() (opt flumelog.Options, ok bool, err error) {
	switch {
	case len(o.FromFlume) > 0 && o.FlumeConf != "":
		err = errors.New("--from-flume and --flume-conf both say where Flume's channel lies")
	case o.FlumeChannel != "" && o.FlumeConf == "":
		err = errors.New("--flume-channel is nothing without --flume-conf")
	case len(o.FromFlume) == 0 && o.FlumeConf == "":
		if o.Keep {
			err = errors.New("--keep is for --from-flume and --flume-conf; other files are always left where they are")
		}
		return opt, false, fault.WithStatus(err, fault.Usage)
	case len(o.Files) > 0:
		err = errors.New("files and Flume's channel are imported one after the other, by a command each")
	case o.FlumeConf != "":
		opt, err = flumeChannel(o.FlumeConf, o.FlumeChannel)
		return opt, true, err
	default:
		opt, err = flumeDirs(o.FromFlume)
		return opt, true, err
	}
	return opt, false, fault.WithStatus(err, fault.Usage)
}

func runImport(ctx, stop context.Context, args []string) error {
	var importing importOptions
	var how answerOptions
	cmd, err := cli.Parse(program, importCatalog, args,
		cli.Group{Title: "What is imported", Options: &importing, Command: true},
		cli.Group{Title: "The answer", Options: &how, Command: true})
	if err != nil {
		return err
	}
	flume, isFlume, err := importing.flume()
	if err != nil {
		return err
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	tell := func(i imported) error {
		component.Notice(zerolog.Ctx(ctx)).Int64("committed", i.Committed).Int("damaged", i.Damaged).Msg("Events")
		if how.JSON {
			return writeJSON(os.Stdout, i)
		}
		return nil
	}
	if isFlume {
		return importFlume(ctx, stop, cmd.Options, flume, importing.Keep, tell)
	}
	files, err := openAll(importing.Files)
	if err != nil {
		return err
	}
	access, err := reach(ctx, cmd.Options)
	if err != nil {
		return err
	}
	var all int64
	for _, f := range files {
		in := stream.OpenStdin(f, cmd.Name, stream.Bounds{MaxEvents: cmd.Options.MaxEvents()})
		var n int64
		n, err = access.Put(stop, in)
		in.Close()
		f.Close()
		all += n
		if err != nil {
			err = fmt.Errorf("importing %s: %w", f.Name(), err)
			break
		}
	}
	return errors.Join(err, access.Close(), tell(imported{Committed: all}))
}

// imported is what was imported: events, and records of Flume's that could not be.
type imported struct {
	Committed int64 `json:"committed"`
	Damaged   int   `json:"damaged"`
}

// openAll opens all files before anything is put: a name that is wrong is told of
// at once.
func openAll(names []string) ([]*os.File, error) {
	if len(names) == 0 {
		names = []string{"-"}
	}
	var files []*os.File
	for _, name := range names {
		f := os.Stdin
		if name != "-" {
			var err error
			if f, err = os.Open(name); err != nil {
				return nil, err
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// room returns an error if n events can never be in the channel just now, since
// nobody is there who takes any.
func room(ctx context.Context, access *channel.Access, n int) error {
	s, err := access.Stat(ctx)
	if err != nil || s.Process != 0 || s.Capacity == nil || s.Held.Events+uint64(n) <= uint64(s.Capacity.Events) {
		return nil // puts will tell, or wait for takers
	}
	return fault.Hint(fmt.Errorf("there is no room for the %d events of Flume's channel: this one has %d and takes %d in all", n, s.Held.Events, s.Capacity.Events),
		"give it more: --capacity %d", s.Held.Events+uint64(n))
}
