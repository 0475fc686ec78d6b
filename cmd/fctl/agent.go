package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/agent"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
	"github.com/flumekit/flumekit/pkg/option"
)

type agentCommand struct {
	Name         string         `name:"name" short:"n" placeholder:"AGENT" help:"Name of the agent."`
	ConfFile     []string       `name:"conf-file" short:"f" sep:"none" placeholder:"FILE" help:"Configuration file. Of several, the properties of later ones count."`
	Conf         string         `name:"conf" short:"c" placeholder:"DIR" help:"Flume's configuration directory: it is accepted, and nothing is read from it."`
	NoReloadConf bool           `name:"no-reload-conf" help:"Do not watch the file for changes; nobody does."`
	Grace        option.Seconds `name:"grace" default:"10" help:"How long the last events may take to be delivered, when the agent is asked to end."`
	LogFormat    string         `name:"log-format" enum:"flume,json" default:"flume" help:"Form of the log on standard error."`
	Ignored      []string       `name:"ignored" sep:"none" hidden:""`
}

// Help implements the manual of the command.
func (agentCommand) Help() string {
	return `Each channel, sink and source of the agent runs in a process of its own:
channels are started first, then sinks, then sources, and what dies is started
again. A configuration that does not check is not started: see fctl check.

SIGTERM, SIGINT and SIGHUP end the agent in order: the sources stop their
intake, the sinks empty the channels that would lose their events, and what is
not done within --grace is ended. A second signal ends all at once. The
processes do not outlive fctl, however it ends.

The options of flume-ng agent are taken in all the ways in which they may be
written. Properties reach the processes over descriptors: no command line, and
no environment, shows a password.

The exit status is 0 after an end in order, 1 if a component could not start or
events were lost at the end, and 78 if the configuration is wrong.
`
}

// Run runs the agent.
func (c *agentCommand) Run(ctx, stop context.Context) error {
	switch {
	case c.Name == "":
		//lint:ignore ST1005 it is Flume's text
		err := errors.New("Missing required option: n")
		return fault.WithStatus(fault.Hint(err, "write --name AGENT, as in: fctl agent --name a1 --conf-file flume.conf"), fault.Usage)
	case len(c.ConfFile) == 0:
		err := errors.New("no configuration file given")
		return fault.WithStatus(fault.Hint(err, "write --conf-file FILE, as in: fctl agent --name a1 --conf-file flume.conf"), fault.Usage)
	}
	logging := cli.Logging{Format: c.LogFormat, Level: "info"}
	ctx = logging.Logger(os.Stderr, "").WithContext(ctx)
	log := zerolog.Ctx(ctx).With().Str("logger", "node.Application").Logger()
	c.notice(log)

	file, err := flumeconf.Load(c.ConfFile...)
	if err != nil {
		return err
	}
	a, err := file.Agent(c.Name)
	if err != nil {
		// Flume: the agent stays up, idle.
		return err
	}
	problems := check(file, c.Name)
	if err := problems.err(); err != nil {
		return err
	}
	for _, p := range problems {
		if !p.told {
			p.log(log.Warn())
		}
	}

	dir, err := agent.NewRunDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return agent.Run(ctx, stop, agent.NewPlan(a, dir, traits), agent.Options{
		Stdout: os.Stdout,
		Logs:   logs(c.LogFormat, os.Stderr),
		Grace:  time.Duration(c.Grace),
	})
}

// notice logs which of the options have no effect.
func (c *agentCommand) notice(log zerolog.Logger) {
	// Every tutorial sets this one, and Flume 1.11 takes no notice of it either.
	ignored := slices.DeleteFunc(slices.Clone(c.Ignored), func(option string) bool {
		return strings.HasPrefix(option, "-Dflume.root.logger=")
	})
	if len(ignored) > 0 {
		log.Info().Msgf("without effect, because there is no Java here: %s", strings.Join(names(ignored), " "))
	}
	script := filepath.Join(c.Conf, "flume-env.sh")
	if _, err := os.Stat(script); c.Conf != "" && err == nil {
		log.Info().Msgf("%s is not read; set what it exports in the environment of fctl", script)
	}
}

// names returns options without their values, which may be secret.
func names(options []string) []string {
	var names []string
	for _, o := range options {
		name, _, _ := strings.Cut(o, "=")
		names = append(names, name)
	}
	return names
}

// logs returns the writer of the log lines of the agent's processes.
func logs(format string, w io.Writer) io.Writer {
	if format == "json" {
		return w
	}
	return flumeLines{w}
}

// flumeLines writes JSON log lines in Flume's form.
type flumeLines struct{ w io.Writer }

// Write writes one line.
func (f flumeLines) Write(line []byte) (int, error) {
	if _, err := f.w.Write(append(cli.FlumeLine(line), '\n')); err != nil {
		return 0, err
	}
	return len(line), nil
}
