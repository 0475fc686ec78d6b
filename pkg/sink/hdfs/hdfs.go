// Package hdfs is the hdfs sink: it writes events to files in HDFS, or in a
// local directory, and begins new files by size, count, time and idleness.
//
//	fchan take … | fsink hdfs hdfs://namenode/logs/%Y-%m-%d
//	fsrc stdin   | fsink hdfs file:///data --hdfs.fileType=DataStream
//
// hdfs.path says the file system: hdfs://HOST:PORT/…, hdfs://SERVICE/… for a
// name service of several name nodes, file:///…; a path alone is in the file
// system that fs.defaultFS names, the local one by default. core-site.xml and
// hdfs-site.xml are read from $HADOOP_CONF_DIR, or from $HADOOP_HOME/etc/hadoop;
// ${name} and ${env.NAME} in them are expanded, XInclude is not.
//
// The path and hdfs.filePrefix may have escapes; events whose path and prefix
// are the same go to one file. It is named prefix.NUMBER and the suffix (that of
// the codec, if there is none), the number being milliseconds at first and then
// counting up. While it is in use it has hdfs.inUsePrefix before its name and
// hdfs.inUseSuffix after it.
//
// The escapes are these. All that have a letter need the event's timestamp
// header, which the timestamp interceptor makes, or hdfs.useLocalTimeStamp.
//
//	%{name}      the header name as it is, slashes and dots too, or nothing
//	%[localhost] %[IP] %[FQDN]    this host's name, address, full name
//	%t %s        milliseconds, seconds since 1970: 1331614800123 1331614800
//	%Y %y        year: 2012 12
//	%m %n %b %B  month: 03 3 Mar March
//	%d %e %j     day of the month, of the year: 13 13 073
//	%a %A        day of the week: Tue Tuesday
//	%H %k        hour, to 23: 01 1
//	%I %l %p     hour, to 12: 01 1 AM
//	%M %S        minute, second: 00 00
//	%z %%        offset of the zone, percent sign: -0400 %
//	%c           Tue Mar 13 01:00:00 2012
//	%D           03/13/12, which are three directories
//
// A file is complete when it has hdfs.rollCount events, or hdfs.rollSize bytes
// of bodies, at the next event; hdfs.rollInterval after it was begun;
// hdfs.idleTimeout after the last event; when more than hdfs.maxOpenFiles are
// open, the one that was used least recently; when its blocks have fewer copies
// than they should; and at the end. It is then closed and renamed.
//
// There are three types of files:
//
//	SequenceFile      Hadoop's. The key is the event's timestamp header, or
//	                  the time now. With hdfs.codeC its blocks are compressed,
//	                  or with compression-type record each value.
//	DataStream        what the event serializer writes: lines, by default
//	CompressedStream  the same, compressed; one member for each batch
//
// Events are delivered when all data nodes that write the block have them
// (hflush), or the kernel for a local file, and anyone can read them. This
// outlives the death of this process. After a failed write the file is given
// up: HDFS takes it from this process and, as soon as a data node is there that
// has its last block, completes it; it is cut back to what was delivered, and
// renamed. The batch goes to another file, whole.
//
// Files that a killed process left in use are looked for at the start, wherever
// hdfs.path can lead while no header in it has a slash. They are completed and
// renamed, with a line in the log; an empty one is removed. Their end may be the
// start of a batch that was not delivered, even within an event, and is
// delivered again. A file whose writer may yet be alive is left alone: in HDFS
// until its lease has expired, a minute later, or at once if that was a sink of
// this host and is gone (seen on Linux); in a local directory while a process has
// it locked, as this sink does and Flume does not. Do not let this sink and a
// Flume of the same names share a local directory.
//
// The number of a file that is there already is left out. With
// hdfs.append.support in core-site.xml a file in use that nobody writes to is
// appended to instead, if it is no SequenceFile and the serializer can do that.
//
// The avro_datum serializer takes its schema from hdfs: URLs too.
//
// With hdfs.kerberosPrincipal and hdfs.kerberosKeytab the sink logs in to
// Kerberos ($KRB5_CONFIG, or /etc/krb5.conf). What it does in HDFS it then does
// as hdfs.proxyUser, if that is set; the name nodes must allow it, by
// hadoop.proxyuser.NAME.hosts and .users or .groups, NAME being the principal's
// short name. A cluster without Kerberos takes the sink's word for who it is.
package hdfs

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/escape"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/serializer"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed hdfs.go
var source string

// Spec is this sink's line in the catalogue.
var Spec = sink.Spec{
	Name:    "hdfs",
	Class:   "org.apache.flume.sink.hdfs.HDFSEventSink",
	Summary: "Write events to files in HDFS.",
	Manual:  component.Manual(source),
	Target:  component.Single("URL", "hdfs.path"),
	New:     func() sink.Options { return new(Options) },
}

// Options are the properties of an hdfs sink.
type Options struct {
	Path              string            `name:"hdfs.path" required:"" placeholder:"URL" help:"Directory to write to; it may have escapes."`
	FilePrefix        string            `name:"hdfs.filePrefix" default:"FlumeData" help:"What the files' names start with; it may have escapes."`
	FileSuffix        string            `name:"hdfs.fileSuffix" placeholder:"TEXT" help:"What the files' names end with, such as .log; the codec's by default."`
	InUsePrefix       string            `name:"hdfs.inUsePrefix" placeholder:"TEXT" help:"What stands before the names of files in use."`
	InUseSuffix       string            `name:"hdfs.inUseSuffix" default:".tmp" help:"What stands after the names of files in use."`
	EmptyInUseSuffix  option.Bool       `name:"hdfs.emptyInUseSuffix" default:"false" help:"Let nothing stand after the names of files in use."`
	RollInterval      option.Seconds    `name:"hdfs.rollInterval" default:"30" help:"Complete a file after this long; 0 is never."`
	RollSize          option.Int64      `name:"hdfs.rollSize" default:"1024" help:"Complete a file that has this many bytes of bodies; 0 is never."`
	RollCount         option.Int64      `name:"hdfs.rollCount" default:"10" help:"Complete a file that has this many events; 0 is never."`
	IdleTimeout       option.Seconds    `name:"hdfs.idleTimeout" default:"0" help:"Complete a file that has had no events for this long; 0 is never."`
	BatchSize         option.Int        `name:"hdfs.batchSize" default:"100" help:"Most events to write in one transaction."`
	FileType          string            `name:"hdfs.fileType" enum:"SequenceFile,DataStream,CompressedStream" default:"SequenceFile" help:"Type of the files."`
	WriteFormat       string            `name:"hdfs.writeFormat" enum:"Writable,Text" default:"Writable" help:"Type of the values in a SequenceFile."`
	CodeC             string            `name:"hdfs.codeC" placeholder:"CODEC" help:"Compression: gzip, bzip2, snappy, lz4, zstandard, default; or a class name of Hadoop's."`
	CompressionType   string            `name:"compression-type" enum:"block,record" default:"block" help:"What is compressed for itself in a SequenceFile."`
	Serializer        serializer.Choice `name:"serializer" default:"TEXT" help:"Event serializer: what is written to the files, if they are not SequenceFiles."`
	MaxOpenFiles      option.Int        `name:"hdfs.maxOpenFiles" default:"5000" help:"Most files in use at a time."`
	MinBlockReplicas  option.Int        `name:"hdfs.minBlockReplicas" default:"-1" help:"Complete a file whose blocks have fewer copies; -1 is as many as HDFS is to make."`
	CallTimeout       option.Millis     `name:"hdfs.callTimeout" default:"30000" help:"Longest time for each call of the file system; 0 is for ever."`
	ThreadsPoolSize   option.Int        `name:"hdfs.threadsPoolSize" default:"10" help:"Most files that are written to or closed at the same time."`
	RollTimerPoolSize option.Int        `name:"hdfs.rollTimerPoolSize" default:"1" notice:"timers need no threads" help:"Threads for timers."`
	CloseTries        option.Int        `name:"hdfs.closeTries" default:"0" help:"How often to try to close and rename a file; 0 is until that succeeds."`
	RetryInterval     option.Seconds    `name:"hdfs.retryInterval" default:"180" help:"Time between these tries; 0 is to try once."`
	Round             option.Bool       `name:"hdfs.round" default:"false" help:"Round the time in escapes down."`
	RoundValue        option.Int        `name:"hdfs.roundValue" default:"1" help:"Round it to a multiple of this many units."`
	RoundUnit         string            `name:"hdfs.roundUnit" enum:"second,minute,hour" default:"second" help:"The unit."`
	TimeZone          escape.Zone       `name:"hdfs.timeZone" placeholder:"ZONE" help:"Time zone of escapes, such as Europe/Berlin; the system's by default."`
	UseLocalTimeStamp option.Bool       `name:"hdfs.useLocalTimeStamp" default:"false" help:"Take the time now for escapes, not the event's timestamp header."`
	KerberosPrincipal string            `name:"hdfs.kerberosPrincipal" placeholder:"NAME" help:"Kerberos principal; _HOST in it is this host's name."`
	KerberosKeytab    string            `name:"hdfs.kerberosKeytab" placeholder:"FILE" help:"The principal's keytab."`
	ProxyUser         string            `name:"hdfs.proxyUser" placeholder:"USER" help:"User to write as; with Kerberos the principal acts for that user."`
	UseRawLocal       option.Bool       `name:"hdfs.useRawLocalFileSystem" default:"false" notice:"local files never have .crc files beside them" help:"Write local files without checksums."`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	return errors.Join(append(o.checkNumbers(), o.checkEscapes(), o.checkType(), o.checkUser())...)
}

func (o *Options) checkNumbers() []error {
	var wrong []error
	for _, each := range []struct {
		name  string
		value option.Int
	}{
		{"hdfs.batchSize", o.BatchSize}, {"hdfs.maxOpenFiles", o.MaxOpenFiles}, {"hdfs.threadsPoolSize", o.ThreadsPoolSize},
	} {
		if each.value < 1 {
			wrong = append(wrong, fault.Hint(fmt.Errorf("%s is %d", each.name, each.value), "it must be 1 or more"))
		}
	}
	if err := o.rounding().Check(); err != nil {
		wrong = append(wrong, fmt.Errorf("hdfs.%w", err))
	}
	return wrong
}

func (o *Options) checkEscapes() error {
	if _, err := escape.Parse(o.Path, escape.Options{}); err != nil {
		return fmt.Errorf("hdfs.path: %w", err)
	}
	if _, err := escape.Parse(o.FilePrefix, escape.Options{}); err != nil {
		return fmt.Errorf("hdfs.filePrefix: %w", err)
	}
	return nil
}

// checkType checks what goes together with the type of files.
//
// Flume: a wrong fileType or writeFormat is found at the first event.
func (o *Options) checkType() error {
	c, err := findCodec(o.CodeC)
	switch {
	case err != nil:
		return fmt.Errorf("hdfs.codeC: %w", err)
	case o.FileType == "DataStream" && o.CodeC != "":
		return fault.Hint(errors.New("hdfs.codeC is set and hdfs.fileType is DataStream, which is not compressed"), "set hdfs.fileType to CompressedStream, or no codec")
	case o.FileType == "CompressedStream" && c == nil:
		return fault.Hint(errors.New("hdfs.codeC is not set and hdfs.fileType is CompressedStream"), "set hdfs.codeC to gzip, or another codec")
	}
	return nil
}

func (o *Options) checkUser() error {
	switch {
	case o.KerberosPrincipal == "" && o.KerberosKeytab != "":
		return fault.Hint(errors.New("hdfs.kerberosPrincipal is not set and hdfs.kerberosKeytab is"), "set both or neither")
	case o.KerberosPrincipal != "" && o.KerberosKeytab == "":
		return fault.Hint(errors.New("hdfs.kerberosKeytab is not set and hdfs.kerberosPrincipal is"), "set both or neither")
	}
	return nil
}

// MaxEvents implements sink.Batcher.
func (o *Options) MaxEvents() int { return int(o.BatchSize) }

// Flume: another roundUnit turns rounding off, with a warning; here it is refused.
func (o *Options) rounding() escape.Rounding {
	if !o.Round {
		return escape.Rounding{}
	}
	unit := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour}[o.RoundUnit]
	return escape.Rounding{Unit: unit, Value: int(o.RoundValue)}
}

// Open implements sink.Options.
func (o *Options) Open(ctx context.Context) (sink.Sink, error) {
	in, dir, appends, err := o.openFileSystem(ctx)
	if err != nil {
		return nil, err
	}
	times := escape.Options{Zone: o.TimeZone.Location(), Clock: bool(o.UseLocalTimeStamp), Rounding: o.rounding()}
	dirs, err := escape.Parse(dir, times)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hdfs.path: %w", err), in.close())
	}
	prefixes, err := escape.Parse(o.FilePrefix, times)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hdfs.filePrefix: %w", err), in.close())
	}
	for _, unknown := range append(dirs.Unknown(), prefixes.Unknown()...) {
		zerolog.Ctx(ctx).Warn().Str("escape", unknown).Msg("hdfs.path or hdfs.filePrefix has an escape that stands for nothing")
	}
	c, err := findCodec(o.CodeC)
	if err != nil {
		return nil, errors.Join(err, in.close())
	}
	if s, ok := o.Serializer.Options.(serializer.Fetching); ok {
		s.FetchWith("hdfs", o.fetch)
	}
	opt := *o
	if opt.EmptyInUseSuffix {
		opt.InUseSuffix = ""
	}
	suffix := o.FileSuffix
	if suffix == "" && c != nil {
		suffix = c.suffix
	}
	return start(ctx, &opt, in, dirs, prefixes, c, suffix, appends), nil
}
