package main

import (
	"context"
	"fmt"
	"os"

	"github.com/flumekit/flumekit/pkg/agent"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

type checkCommand struct {
	File         string `arg:"" name:"file" help:"Configuration file."`
	Name         string `name:"name" short:"n" placeholder:"AGENT" help:"Check this agent alone."`
	DenyWarnings bool   `name:"deny-warnings" help:"Fail for a warning too."`
}

// Help implements the manual of the command.
func (checkCommand) Help() string {
	return `Every error and warning is told at once, each with the file and the line, the
property, what is wrong with it and how to mend it. Nothing is started, and no
directory or port is looked at.

The exit status is 0 if there are no errors, else 78.
`
}

// Run checks the file.
func (c *checkCommand) Run(context.Context, context.Context) error {
	file, err := flumeconf.Load(c.File)
	if err != nil {
		return err
	}
	var only []string
	if c.Name != "" {
		if _, err := file.Agent(c.Name); err != nil {
			return err
		}
		only = []string{c.Name}
	}
	found := check(file, only...)
	for _, p := range found {
		p.print(os.Stderr)
	}
	if found.err() != nil || c.DenyWarnings && len(found) > 0 {
		return fault.WithStatus(fmt.Errorf("%s: %v", c.File, found), fault.Config)
	}
	if only == nil {
		only = file.Agents()
	}
	answer := ""
	for _, name := range only {
		a, err := file.Agent(name)
		if err != nil {
			return err
		}
		answer += fmt.Sprintf("ok: agent %s: %s\n", name, agent.Size(a))
	}
	if len(found) > 0 {
		answer += fmt.Sprintf("%s: %v\n", c.File, found)
	}
	return cli.Answer(answer)
}
