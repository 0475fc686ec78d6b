// Command benchmark measures the commands in bin/ on this machine and prints a
// table. Run it by scripts/bench, which builds them first:
//
//	scripts/bench                     all flows, five runs of each
//	scripts/bench quick               all flows, once, in less than a minute;
//	                                  without Flume and HDFS
//	scripts/bench quick clients-100   only what is named
//	scripts/bench --list              what there is to name
//
// Every figure is checked: what came out must be what went in, in number and,
// in files, in content and order. A flow that fails this has FAILED in its row,
// and the exit status is 1.
//
// The flows of agents are measured beside Flume's, by the same configuration, and
// some in a real HDFS, where Java and Maven are and the programs of
// scripts/interop can be fetched. With them a full run takes a quarter of an hour.
//
// CPU seconds are user and system time of all processes of ours in the flow, as
// wait4 tells them; the client that sends lines is not in them, but shares the
// machine. Memory is the sum of each process's own peak (VmHWM in /proc). Calls
// of fsync and fdatasync are counted in a run of their own under strace, whose
// times are not used.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

// settings are the words of the command line.
type settings struct {
	quick   bool
	events  int
	runs    int
	json    bool
	list    bool
	bin     string
	dir     string
	profile string
	backlog int64
	root    string
	all     bool // no flow was named
	flows   []flow
}

func run(ctx context.Context, args []string, out io.Writer) error {
	set, err := parse(args)
	if err != nil {
		return err
	}
	if set.list {
		for _, f := range set.flows {
			fmt.Fprintf(out, "%-18s %s\n", f.name, f.does)
		}
		return nil
	}
	l, err := openLab(set)
	if err != nil {
		return err
	}
	defer l.close()
	r := report{Conditions: l.conditions(set)}
	for _, f := range l.possible(set.flows) {
		progress(f.name + " …")
		r.measure(ctx, l, f, set)
		if ctx.Err() != nil {
			break
		}
	}
	progress("")
	r.compare()
	if set.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "\t")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(r)
	} else {
		err = r.print(out)
	}
	return errors.Join(err, ctx.Err(), r.failure())
}

// progress shows on a terminal what is under way.
func progress(text string) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprint(os.Stderr, "\r\033[K"+text)
	}
}

// parse reads the command line: flags, the mode and the flows' names in any
// order.
func parse(args []string) (settings, error) {
	var set settings
	flags := flag.NewFlagSet("scripts/bench [quick] [flags] [FLOW…]", flag.ContinueOnError)
	flags.IntVar(&set.runs, "runs", 0, "measure each flow so many `times`; the default is 5, and 1 in quick mode and for profiles")
	flags.IntVar(&set.events, "events", 0, "move so many events in flows that move a number of them")
	flags.BoolVar(&set.json, "json", false, "print JSON instead of the table")
	flags.BoolVar(&set.list, "list", false, "print what each flow is, and end")
	flags.StringVar(&set.bin, "bin", "bin", "directory of the commands")
	flags.StringVar(&set.dir, "dir", scratch(), "`directory` for input, output and stores; its file system is what is measured")
	flags.StringVar(&set.profile, "cpuprofile", "", "record each process with perf; write profiles and lists of the hottest functions to this `directory`")
	flags.Int64Var(&set.backlog, "backlog", 256e6, "start a channel with so many `bytes` held")
	flags.StringVar(&set.root, "root", "", "`directory` of the source tree, whose scripts/peers fetch Flume and HDFS; needs java and mvn")
	all := flows()
	for {
		if err := flags.Parse(args); err != nil {
			return set, flag.ErrHelp // Parse has said what is wrong
		}
		if flags.NArg() == 0 {
			break
		}
		word := flags.Arg(0)
		args = flags.Args()[1:]
		if word == "quick" {
			set.quick = true
			continue
		}
		i := slices.IndexFunc(all, func(f flow) bool { return f.name == word })
		if i < 0 {
			return set, fmt.Errorf("there is no flow %q; see scripts/bench --list", word)
		}
		set.flows = append(set.flows, all[i])
	}
	if set.flows == nil {
		set.flows, set.all = all, true
	}
	for i := range set.flows {
		if set.quick {
			set.flows[i].events /= 2
			set.flows[i].duration /= 2
		}
		if set.events > 0 && set.flows[i].events > 0 {
			set.flows[i].events = set.events
		}
	}
	if set.runs == 0 {
		set.runs = 5
		if set.quick || set.profile != "" {
			set.runs = 1
		}
	}
	for _, path := range []*string{&set.bin, &set.dir, &set.profile, &set.root} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return set, err
		}
		*path = absolute
	}
	return set, nil
}

// scratch returns a directory for large files: /tmp may be in memory.
func scratch() string {
	if info, err := os.Stat("/var/tmp"); err == nil && info.IsDir() {
		return "/var/tmp"
	}
	return os.TempDir()
}
