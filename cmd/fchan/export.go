// Export writes what a channel holds to standard output or a file, and takes none
// of it:
//
//	fchan export /var/spool/c1 > c1.jsonl
//	fchan export unix:/run/c1.sock --format avro --output c1.avro
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. Whoever puts and takes meanwhile goes on undisturbed; what is put after
// the command has begun is not written. What is in takers' hands is.
//
// The formats are json, one object a line, avro, an object container file with
// Flume's event schema, and frame, which keeps every byte. In json and avro a
// header's bytes that are not UTF-8 become U+FFFD; bodies are kept in all three.
// fchan import reads all of them.
//
// --output writes the file under another name first and renames it when it is whole
// and on the disk. The last line on standard error says how many events there are,
// and with --json and --output so does one object on standard output:
// {"exported":3}.

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

//go:embed export.go
var exportSource string

type exportOptions struct {
	Format string `name:"format" enum:"json,avro,frame" default:"json" help:"Form of the events."`
	Output string `name:"output" short:"o" placeholder:"FILE" help:"Write to FILE and not to standard output."`
}

func runExport(ctx, stop context.Context, args []string) error {
	var exporting exportOptions
	var how answerOptions
	cmd, err := cli.Parse(program, lookCatalog("export", "Write what a channel holds to a file.", exportSource), args,
		cli.Group{Title: "Where events go", Options: &exporting, Command: true},
		cli.Group{Title: "The answer", Options: &how, Command: true})
	if err != nil {
		return err
	}
	if how.JSON && exporting.Output == "" {
		err := errors.New("--json answers on standard output, where the events go")
		return fault.WithStatus(fault.Hint(err, "write them to a file: --output FILE"), fault.Usage)
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	access, err := cmd.Options.look(stop)
	if err != nil {
		return err
	}
	n, err := export(stop, access, exporting)
	if err = errors.Join(err, access.Close()); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	component.Notice(zerolog.Ctx(ctx)).Int64("exported", n).Msg("Events")
	if how.JSON {
		return writeJSON(os.Stdout, exported{n})
	}
	return nil
}

// exported is what was exported.
type exported struct {
	Events int64 `json:"exported"`
}

// export writes to a file that has its name only when it is whole, or to standard
// output.
func export(ctx context.Context, access *channel.Access, how exportOptions) (int64, error) {
	if how.Output == "" {
		return exportTo(ctx, access, os.Stdout, how.Format)
	}
	f, err := os.CreateTemp(filepath.Dir(how.Output), "."+filepath.Base(how.Output)+".*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) // it is gone if all went well
	n, err := exportTo(ctx, access, f, how.Format)
	if err != nil {
		return n, err
	}
	if err := syncFile(f.Name()); err != nil {
		return n, err
	}
	if err := os.Rename(f.Name(), how.Output); err != nil {
		return n, err
	}
	return n, syncFile(filepath.Dir(how.Output))
}

func exportTo(ctx context.Context, access *channel.Access, f *os.File, format string) (int64, error) {
	out, err := stream.OpenStdout(ctx, f, stream.StdoutOptions{
		Name:   component.Name(ctx),
		Format: stream.Format(format),
		Ack:    stream.AckOff,
	})
	if err != nil {
		return 0, err
	}
	n, err := channel.Replay(ctx, access.Browse(ctx, channel.Span{}), out)
	if err != nil {
		out.Abort(err)
		return n, err
	}
	return n, out.Close(ctx)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
