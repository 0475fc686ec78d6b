// Command torturer puts events into channels and takes them out while it kills
// the processes that do so, at random, and starts them again. At the end it
// drains the channels and prints a ledger. Run it by scripts/torture, which
// builds the commands first.
//
// Three paths are under way at the same time:
//
//	shared  one file channel that several writers and several readers use, by
//	        fchan put, fchan take, and fchan file as a filter; whoever comes
//	        first has the directory, and another takes over when that is killed
//	single  a file channel with two writers and one reader
//	agent   fctl agent: two TCP clients, netcat -> file -> file_roll; fctl is
//	        killed, and so are its children
//
// Every event says who wrote it, in which of that writer's lives, which number it
// has, and what the checksum of all that and its body is. A writer notes in a file
// of its own what it hands over and what was acknowledged, and begins its next
// life after that: what was handed over and not acknowledged is put again. So an
// event may come twice, but one that was acknowledged has to come. Where there is
// one reader, the first coming of each event has to be in the writer's order.
//
// With --damage there is one path, and nobody has the store at times: then bits of
// its files are flipped. The events that an untouched copy of the store delivers
// and the damaged store does not have to be exactly as many as the channel reports
// to be lost; it need not report what was never acknowledged.
//
// What is killed when, and what the events are, depends on the seed alone; what a
// process is doing at that instant does not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "torture: error:", err)
		os.Exit(1)
	}
}

// roles are what the torturer starts itself as.
var roles = map[string]func(context.Context, life) error{
	"write": write,
	"send":  send,
	"check": check,
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && roles[args[0]] != nil {
		l, err := parseLife(args[1:])
		if err != nil {
			return err
		}
		return roles[args[0]](ctx, l)
	}
	set, err := parse(args)
	if err != nil {
		return err
	}
	t := &torture{settings: set, decide: rand.New(rand.NewPCG(set.seed, 0))}
	if err := t.prepare(); err != nil {
		return err
	}
	var wrong error
	if set.damage {
		wrong = t.damageStores(ctx, out)
	} else {
		wrong = t.killProcesses(ctx, out)
	}
	if wrong != nil {
		return fmt.Errorf("%w; all that is left lies in %s", wrong, t.dir)
	}
	if t.temporary {
		return os.RemoveAll(t.dir)
	}
	return nil
}

// settings are the words of the command line.
type settings struct {
	duration time.Duration
	every    time.Duration
	seed     uint64
	dir      string
	bin      string
	damage   bool
}

func parse(args []string) (settings, error) {
	var set settings
	flags := flag.NewFlagSet("scripts/torture", flag.ContinueOnError)
	flags.DurationVar(&set.duration, "for", 30*time.Second, "kill for so `long`")
	flags.DurationVar(&set.every, "every", 200*time.Millisecond, "kill a process so `often`, on average")
	flags.Uint64Var(&set.seed, "seed", uint64(time.Now().UnixNano()), "`number` that the decisions depend on")
	flags.StringVar(&set.dir, "dir", "", "`directory` for the stores and what is noted; it must not exist")
	flags.StringVar(&set.bin, "bin", "bin", "`directory` of the commands and of torturer")
	flags.BoolVar(&set.damage, "damage", false, "flip bits in a store at rest")
	if err := flags.Parse(args); err != nil {
		return set, flag.ErrHelp // Parse has said what is wrong
	}
	if flags.NArg() > 0 {
		return set, fmt.Errorf("%q is not understood", flags.Arg(0))
	}
	bin, err := filepath.Abs(set.bin)
	set.bin = bin
	return set, err
}

// torture is one run.
type torture struct {
	settings
	decide    *rand.Rand
	temporary bool // the directory goes when all is well
	lines     []*line
	kills     int
	problems  []string
}

// prepare makes the directory with its parts: notes of the writers, received has
// what the readers were given, log what the processes say.
func (t *torture) prepare() error {
	var err error
	if t.temporary = t.dir == ""; t.temporary {
		t.dir, err = os.MkdirTemp(scratch(), "flumekit-torture-")
	} else {
		if t.dir, err = filepath.Abs(t.dir); err == nil {
			err = os.Mkdir(t.dir, 0o755)
		}
	}
	for _, part := range []string{"notes", "received", "log"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(t.dir, part), 0o755))
	}
	return err
}

// scratch returns a directory for large files: /tmp may be in memory.
func scratch() string {
	if info, err := os.Stat("/var/tmp"); err == nil && info.IsDir() {
		return "/var/tmp"
	}
	return os.TempDir()
}

func (t *torture) in(parts ...string) string {
	return filepath.Join(append([]string{t.dir}, parts...)...)
}

// command returns the words of one of the commands; each says in JSON what it has
// to say.
func (t *torture) command(name string, args ...string) []string {
	return append(append([]string{filepath.Join(t.bin, name)}, args...), "--log-format", "json", "--log-level", "info")
}

// role returns the words that start the torturer as one of its own roles.
func (t *torture) role(role, name string, life int, more ...string) []string {
	return append([]string{filepath.Join(t.bin, "torturer"), role,
		"--name", name, "--life", fmt.Sprint(life), "--seed", fmt.Sprint(t.seed), "--dir", t.dir}, more...)
}

// pause waits for a random time of the mean length d.
func (t *torture) pause(ctx context.Context, d time.Duration) {
	wait(ctx, time.Duration(min(5, t.decide.ExpFloat64())*float64(d)))
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
