package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// Command is what a command line asks for: one component with its options set.
type Command[O any] struct {
	Process
	Spec    component.Spec[O]
	Options O

	// Warnings and Notices are what Findings says of the properties file.
	// Contexts logs them.
	Warnings, Notices []error

	given []given
}

// Parse reads the command line
//
//	PROG TYPE [TARGET] [--property value …]
//
// in which TYPE is a component of the catalogue and TARGET the short form of
// its Spec. Each property of the component is a flag, letter for letter, and
// so are the options of the shared groups and of Process. All of them but
// Process's may stand in the file of --properties too; flags take precedence
// over TARGET, and TARGET over the file.
//
// A flag's value is written --port=1 or --port 1; a boolean is --x, --x=false
// or --no-x; a wildcard --selector.mapping.CZ=c1. A slice's flag may be given
// several times.
//
// Parse returns an Answer as error if help or the version is asked for. The
// errors are all those of the command line together; their status is
// fault.Usage, or fault.Config for what stands in a file.
func Parse[O any](prog Program, catalog component.Catalog[O], args []string, shared ...Group) (*Command[O], error) {
	if len(args) == 0 {
		return nil, usage(fmt.Sprintf("no %s type given", prog.Kind), "%s --help lists the types", prog.Name)
	}
	typ, rest := args[0], args[1:]
	switch typ {
	case "--version", "version":
		return nil, Answer(Version(prog.Name) + "\n")
	case "--help", "-h", "help":
		if typ != "help" || len(rest) == 0 {
			return nil, Answer(overview(prog, catalog))
		}
		typ, rest = rest[0], []string{"--help"}
	}
	if strings.HasPrefix(typ, "-") {
		return nil, usage(fmt.Sprintf("%s stands where the %s's type should", typ, prog.Kind),
			"write the type first: %s TYPE [TARGET] [--property value ...]", prog.Name)
	}
	spec, err := catalog.Find(prog.Kind, typ)
	if err != nil {
		return nil, fault.WithStatus(err, fault.Usage)
	}
	if asksForHelp(rest) {
		page, err := Manual(prog, spec, shared...)
		if err != nil {
			return nil, err
		}
		return nil, Answer(page)
	}

	c := &Command[O]{Spec: spec, Options: spec.New()}
	all, err := loadAll(c.Options, append(shared, Group{Options: &c.Process, Command: true}))
	if err != nil {
		return nil, err
	}
	manual := prog.Name + " " + spec.Name + " --help"
	known, err := withParts(rest, all)
	if err != nil {
		return nil, err
	}
	flags, words, err := arguments(rest, known, manual)
	if err != nil {
		return nil, err
	}
	target, err := fromTarget(prog, spec, words)
	if err != nil {
		return nil, err
	}
	status := fault.Usage
	if file := last(flags, "properties"); file != "" {
		props, err := readProperties(file)
		if err != nil {
			return nil, err
		}
		c.given, status = fromFile(props, nil), fault.Config
	}
	c.given = append(append(c.given, target...), flags...)
	in := scope{status: status}
	if spec.Target != nil && len(words) == 0 {
		in.usage = strings.Join([]string{prog.Name, spec.Name, spec.Target.Placeholder}, " ")
	}
	found := decode(all, c.given, in)
	if err := found.Err(); err != nil {
		return nil, err
	}
	c.Warnings, c.Notices = found.Warnings, found.Notices
	if c.Name == "" {
		c.Name = spec.Name
	}
	return c, nil
}

// Type returns the type that a command line of Parse's form names, also where
// it asks for help on it; "" if it names none.
func Type(args []string) string {
	if len(args) > 1 && args[0] == "help" {
		args = args[1:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return ""
	}
	return args[0]
}

// loadAll reads the tags of a component's options and of the shared groups.
func loadAll(options any, shared []Group) ([]*properties, error) {
	own, err := load(options, "")
	if err != nil {
		return nil, err
	}
	all := []*properties{own}
	for _, group := range shared {
		p, err := load(group.Options, "")
		if err != nil {
			return nil, err
		}
		p.title, p.command = group.Title, group.Command
		all = append(all, p)
	}
	return all, nil
}

// fromTarget returns what the word after the type sets.
func fromTarget[O any](prog Program, spec component.Spec[O], words []string) ([]given, error) {
	most := 0
	switch {
	case spec.Target == nil:
	case spec.Target.More == "":
		most = 1
	default:
		most = len(words)
	}
	if len(words) > most {
		return nil, usage(fmt.Sprintf("unexpected argument %q", words[most]),
			"write %s", usageLine(prog, spec))
	}
	if len(words) == 0 {
		return nil, nil
	}
	props, err := spec.Target.Properties(words[0])
	if err != nil {
		return nil, fault.WithStatus(err, fault.Usage)
	}
	var set []given
	for _, key := range slices.Sorted(maps.Keys(props)) {
		text := props[key]
		set = append(set, given{key: key, text: text, label: words[0], flag: true})
	}
	for _, word := range words[1:] {
		set = append(set, given{key: spec.Target.More, text: word, label: word, flag: true})
	}
	return set, nil
}

// last returns the last value of a flag.
func last(flags []given, key string) string {
	text := ""
	for _, g := range flags {
		if g.key == key {
			text = g.text
		}
	}
	return text
}

// readProperties reads a properties file.
func readProperties(file string) ([]flumeconf.Property, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.WithStatus(fmt.Errorf("--properties: %w", err), fault.Usage)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fault.WithStatus(fmt.Errorf("--properties: %w", err), fault.Usage)
	}
	return flumeconf.Parse(file, bytes.NewReader(data))
}

// Decode sets the options of a part of the component, such as an interceptor,
// from what the command was given below prefix ("interceptors.i1."), in the
// file and on the command line. Errors are as those of Parse. An unknown flag
// below prefix is an error; an unknown property of the file is added to
// Warnings.
func (c *Command[O]) Decode(prefix string, options any) error {
	part, err := load(options, prefix)
	if err != nil {
		return err
	}
	var below []given
	in := scope{status: fault.Usage}
	for _, g := range c.given {
		if !strings.HasPrefix(g.key, prefix) {
			continue
		}
		below = append(below, g)
		if !g.flag {
			in.status = fault.Config
		}
	}
	found := decode([]*properties{part}, below, in)
	c.Warnings = append(c.Warnings, found.Warnings...)
	c.Notices = append(c.Notices, found.Notices...)
	return found.Err()
}

// Contexts returns the contexts that a run was given with the component's name
// (component.Name) and its logger (zerolog.Ctx) in them, after logging warnings
// and notices. It has --cpus take effect. With --lifeline, the process is killed as
// soon as standard input ends. It is called once.
func (c *Command[O]) Contexts(ctx, stop context.Context) (context.Context, context.Context) {
	logger := c.Logger(os.Stderr, c.Name).With().Str("logger", c.Spec.Logger()).Logger()
	reportTo(ctx, c.Logging, logger)
	for _, err := range c.Warnings {
		withDetails(logger.Warn(), err).Msg(err.Error())
	}
	for _, err := range c.Notices {
		withDetails(logger.Info(), err).Msg(err.Error())
	}
	if c.CPUs > 0 {
		runtime.GOMAXPROCS(c.CPUs)
	}
	if c.Lifeline {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				self.Kill()
			}
		}()
	}
	with := func(ctx context.Context) context.Context {
		return logger.WithContext(component.WithName(ctx, c.Name))
	}
	return with(ctx), with(stop)
}

// withDetails adds to a log line where err lies and how to mend it.
func withDetails(line *zerolog.Event, err error) *zerolog.Event {
	for _, detail := range fault.Lines(err) {
		name, text, _ := strings.Cut(detail, ": ")
		if name == "at" || name == "hint" {
			line = line.Str(name, text)
		}
	}
	return line
}
