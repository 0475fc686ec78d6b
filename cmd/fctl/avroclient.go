package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/rpc"
)

type avroClientCommand struct {
	Host       string     `name:"host" short:"H" placeholder:"HOST" help:"Host of the avro source."`
	Port       option.Int `name:"port" short:"p" placeholder:"PORT" help:"Port of the avro source."`
	Filename   string     `name:"filename" short:"F" placeholder:"FILE" help:"Send the lines of this file, not of standard input."`
	Dirname    string     `name:"dirname" placeholder:"DIR" help:"Send the lines of the files in this directory, and rename each file that was sent to NAME.COMPLETED."`
	HeaderFile string     `name:"headerFile" short:"R" placeholder:"FILE" help:"File of KEY=VALUE lines: the headers of every event."`
	RPCProps   string     `name:"rpcProps" short:"P" placeholder:"FILE" help:"File of client properties in place of host and port, such as hosts, hosts.NAME, client.type, ssl and compression-type."`
	Conf       string     `name:"conf" short:"c" placeholder:"DIR" help:"Flume's configuration directory: it is accepted, and nothing is read from it."`
	Ignored    []string   `name:"ignored" sep:"none" hidden:""`

	sent atomic.Int64 // events that the source has committed
}

// Help implements the manual of the command.
func (*avroClientCommand) Help() string {
	return `Each line is an event; it ends with a newline, a carriage return or both, and
the last one may lack its end. Lines of a file are sent batch-size at a time, and
those of a pipe or a terminal as soon as no more are at hand.

    fctl avro-client -H collector -p 4141 -F events.log
    fctl avro-client -P client.properties < events.log

The exit status is 0 if the source has committed all events, and 75 if it has
not: the message says how many it has. Files of a directory that were sent are
renamed, so that the command can be run again.
`
}

// avroClientOptions are the options of Flume's launcher and its avro-client.
var avroClientOptions = []flumeOption{
	{long: "host", short: "H", valued: true},
	{long: "port", short: "p", valued: true},
	{long: "filename", short: "F", valued: true},
	{long: "dirname", valued: true},
	{long: "headerFile", short: "R", valued: true},
	{long: "rpcProps", short: "P", valued: true},
	{long: "conf", short: "c", valued: true},
	{long: "help", short: "h"},
	{long: "classpath", short: "C", valued: true, role: ignored},
	{long: "plugins-path", valued: true, role: ignored},
	{long: "dryrun", short: "d", role: refused, hint: "leave it out: nothing but the client would be started"},
}

// Run sends the events.
//
// Flume: the exit status is 0 however it ends.
func (c *avroClientCommand) Run(ctx, stop context.Context) error {
	opt, err := c.options()
	if err != nil {
		return err
	}
	headers, err := c.headers()
	if err != nil {
		return err
	}
	client, err := rpc.New(ctx, opt)
	if err != nil {
		return fault.WithStatus(err, fault.Usage)
	}
	defer client.Close()
	sent := make(chan error, 1)
	go func() { sent <- c.send(ctx, &eventSender{client: client, headers: headers, sent: &c.sent}) }()
	select {
	case err = <-sent:
	case <-stop.Done(): // standard input may never end
		err = fault.WithStatus(errors.New("stopped before the end of the input"), fault.TryAgain)
	}
	if err != nil {
		return fmt.Errorf("%w; %d events were committed before", err, c.sent.Load())
	}
	return nil
}

// options returns the options of the client.
func (c *avroClientCommand) options() (*rpc.Options, error) {
	misuse := func(text, hint string) error {
		return fault.WithStatus(fault.Hint(errors.New(text), "%s", hint), fault.Usage)
	}
	const example = "write fctl avro-client --host HOST --port PORT, or --rpcProps FILE"
	switch {
	case c.Filename != "" && c.Dirname != "":
		return nil, misuse("--filename and --dirname options cannot be used simultaneously", "leave one of them out")
	case c.RPCProps != "":
		return readClientProperties(c.RPCProps)
	case c.Host == "" && c.Port == 0:
		return nil, misuse("either --rpcProps or both --host and --port must be specified", example)
	case c.Host == "":
		return nil, misuse("you must specify a hostname to connect to with --host", example)
	case c.Port < 1 || c.Port > 65535:
		return nil, misuse("you must specify a port to connect to with --port, from 1 to 65535", example)
	}
	// Flume: sends five lines at a time.
	return clientOptions([]flumeconf.Property{
		{Key: "hosts", Value: "h1"},
		{Key: "hosts.h1", Value: net.JoinHostPort(c.Host, c.Port.String())},
	})
}

func readClientProperties(path string) (*rpc.Options, error) {
	props, err := readPropertiesFile("--rpcProps", path)
	if err != nil {
		return nil, err
	}
	return clientOptions(props)
}

// readPropertiesFile reads the file that the option names.
func readPropertiesFile(option, path string) ([]flumeconf.Property, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.WithStatus(fmt.Errorf("%s: %w", option, err), fault.Usage)
	}
	defer file.Close()
	return flumeconf.Parse(path, file)
}

func clientOptions(props []flumeconf.Property) (*rpc.Options, error) {
	opt := new(rpc.Options)
	found := cli.Decode(props, nil, opt)
	var told problems
	told.add(flumeconf.Warning, slices.Concat(found.Warnings, found.Notices)...)
	for _, p := range told {
		p.print(os.Stderr)
	}
	return opt, found.Err()
}

// headers returns the headers of every event.
func (c *avroClientCommand) headers() (event.Headers, error) {
	var headers event.Headers
	if c.HeaderFile == "" {
		return headers, nil
	}
	// Flume: a file that cannot be read is logged, and the events are sent
	// without headers.
	props, err := readPropertiesFile("--headerFile", c.HeaderFile)
	if err != nil {
		return headers, err
	}
	for _, p := range props {
		headers = headers.With(p.Key, p.Value)
	}
	return headers, nil
}

// send sends the lines of what the options name.
func (c *avroClientCommand) send(ctx context.Context, s *eventSender) error {
	switch {
	case c.Filename != "":
		return s.file(ctx, c.Filename)
	case c.Dirname != "":
		return s.directory(ctx, c.Dirname)
	}
	return s.lines(ctx, os.Stdin)
}

// eventSender sends lines as events.
type eventSender struct {
	client  rpc.Client
	headers event.Headers
	sent    *atomic.Int64
	batch   event.Batch
}

// completed ends the name of a file that was sent.
//
// Flume: it is fileSuffix, which is the name of the property and not its value.
const completed = ".COMPLETED"

// directory sends the files of a directory, the oldest first, and renames each
// when all of it is committed.
func (s *eventSender) directory(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fault.WithStatus(fmt.Errorf("--dirname: %w", err), fault.Usage)
	}
	type dated struct {
		name string
		time time.Time
	}
	var files []dated
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), completed) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files = append(files, dated{e.Name(), info.ModTime()})
	}
	slices.SortFunc(files, func(a, b dated) int {
		return cmp.Or(a.time.Compare(b.time), strings.Compare(a.name, b.name))
	})
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := s.file(ctx, path); err != nil {
			return err
		}
		if err := os.Rename(path, path+completed); err != nil {
			return fmt.Errorf("marking a file that was sent: %w", err)
		}
	}
	return nil
}

func (s *eventSender) file(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fault.WithStatus(err, fault.Usage)
	}
	defer file.Close()
	if err := s.lines(ctx, file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// lines sends the lines of in.
func (s *eventSender) lines(ctx context.Context, in *os.File) error {
	info, err := in.Stat()
	waits := err != nil || !info.Mode().IsRegular() // more may be long in coming
	r := &lineReader{in: bufio.NewReaderSize(in, 64<<10)}
	for {
		line, err := r.next()
		if err == nil {
			s.batch.Append(event.Event{Headers: s.headers, Body: line})
		}
		full := s.batch.Len() >= s.client.BatchSize() || s.batch.Size() > mostBatch
		if s.batch.Len() > 0 && (full || err != nil || waits && r.in.Buffered() == 0) {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading lines: %w", err)
		}
	}
}

func (s *eventSender) flush(ctx context.Context) error {
	n := s.batch.Len()
	err := s.client.AppendBatch(ctx, &s.batch)
	s.batch.Reset()
	if err != nil {
		return fault.WithStatus(fmt.Errorf("sending events: %w", err), fault.TryAgain)
	}
	s.sent.Add(int64(n))
	return nil
}

// Bounds in bytes; an avro source of ours takes requests of 64 MiB.
const (
	mostLine  = 48 << 20
	mostBatch = 1 << 20
)

// lineReader reads lines that end with a newline, a carriage return or both.
type lineReader struct {
	in   *bufio.Reader
	skip bool // a newline that comes next belongs to the line before
	line []byte
}

// next returns the next line, which is valid until the call after, or io.EOF.
func (r *lineReader) next() ([]byte, error) {
	r.line = r.line[:0]
	for began := false; ; {
		if _, err := r.in.Peek(1); err != nil {
			if errors.Is(err, io.EOF) && began {
				return r.line, nil
			}
			return nil, err
		}
		chunk, err := r.in.Peek(r.in.Buffered())
		if err != nil {
			return nil, err
		}
		if r.skip {
			r.skip = false
			if chunk[0] == '\n' {
				r.in.Discard(1)
				continue
			}
		}
		began = true
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			r.line = append(r.line, chunk...)
			r.in.Discard(len(chunk))
			if len(r.line) > mostLine {
				return nil, fmt.Errorf("a line of more than %d bytes", mostLine)
			}
			continue
		}
		r.line = append(r.line, chunk[:end]...)
		r.skip = chunk[end] == '\r'
		r.in.Discard(end + 1)
		return r.line, nil
	}
}
