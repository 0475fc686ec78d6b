package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/channel/jetstream"
	"github.com/flumekit/flumekit/pkg/channel/kafka"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
)

// command is put or take, as if it were a channel: its properties are those with
// which the channel at ADDR is opened.
type command = component.Spec[channel.Options]

// fileCommand returns a command whose ADDR is a directory or a socket.
func fileCommand(name, summary, source string) command {
	return command{
		Name:    name,
		Summary: summary,
		Manual:  component.Manual(source),
		Target:  component.Single("ADDR", "dir"),
		New:     func() channel.Options { return file.Visitor() },
	}
}

const kafkaScheme = "kafka:"

// at returns the catalogue that has the command alone, with the properties of the
// type of channel whose address is among args.
func at(args []string, c command) component.Catalog[channel.Options] {
	switch {
	case slices.ContainsFunc(args, jetstream.IsAddress):
		c.Target, c.New = elsewhere(jetstream.Spec, "")
	case slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, kafkaScheme) }):
		c.Target, c.New = elsewhere(kafka.Spec, kafkaScheme)
	}
	return component.Catalog[channel.Options]{c}
}

// elsewhere returns what is a channel type's own in a command.
func elsewhere(of channel.Spec, scheme string) (*component.Target, func() channel.Options) {
	target := *of.Target
	target.Placeholder = "ADDR"
	target.Properties = func(word string) (map[string]string, error) {
		word = strings.TrimPrefix(word, scheme)
		return of.Target.Properties(strings.TrimPrefix(word, "//"))
	}
	if scheme == "" {
		target.Properties = of.Target.Properties
	}
	return &target, of.New
}

// reach returns the access to the channel that options name.
func reach(ctx context.Context, options channel.Options) (*channel.Access, error) {
	if local, ok := options.(*file.Options); ok {
		dir, addr, err := channel.Address(local.Dir)
		if err != nil {
			return nil, fault.WithStatus(err, fault.Usage)
		}
		if addr != "" {
			return channel.Dial(ctx, addr), nil
		}
		local.Dir = dir
	}
	access, err := channel.Enter(ctx, options, embedded.Open)
	if err == nil {
		tuneMemory(ctx, options, access)
	}
	return access, err
}

// besideFile returns the options if the channel is one that can be looked into.
func besideFile(options channel.Options) (*file.Options, error) {
	if local, ok := options.(*file.Options); ok {
		return local, nil
	}
	err := fmt.Errorf("a %s channel hands out nothing again", options.Kind())
	return nil, fault.WithStatus(fault.Hint(err, "name a file channel, or use the tools of %s", options.Kind()), fault.Usage)
}
