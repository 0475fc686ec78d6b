package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/flumekit/flumekit/pkg/agent"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

type planCommand struct {
	File string `arg:"" name:"file" help:"Configuration file."`
	Name string `name:"name" short:"n" placeholder:"AGENT" help:"The agent. It may be left out if the file has but one."`
}

// Help implements the manual of the command.
func (planCommand) Help() string {
	return `The lines are for a POSIX shell and can be run as they are: a pipeline for one
source, channel and sink, else processes in the background that are joined by
sockets. They hold all properties, passwords too.
`
}

// Run prints the plan.
func (c *planCommand) Run(context.Context, context.Context) error {
	file, err := flumeconf.Load(c.File)
	if err != nil {
		return err
	}
	if c.Name == "" {
		agents := file.Agents()
		if len(agents) != 1 {
			err := fmt.Errorf("%s has %d agents", c.File, len(agents))
			return fault.WithStatus(fault.Hint(err, "name one with --name: %s", strings.Join(agents, ", ")), fault.Usage)
		}
		c.Name = agents[0]
	}
	a, err := file.Agent(c.Name)
	if err != nil {
		return err
	}
	found := check(file, c.Name)
	if err := found.err(); err != nil {
		return err
	}
	for _, p := range found {
		p.print(os.Stderr)
	}
	var lines bytes.Buffer
	if err := agent.WriteShell(&lines, a, traits); err != nil {
		return err
	}
	return cli.Answer(lines.String())
}
