package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/agent"
	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
	"github.com/flumekit/flumekit/pkg/interceptor"
	"github.com/flumekit/flumekit/pkg/selector"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sinkgroup"
	"github.com/flumekit/flumekit/pkg/source"

	channels "github.com/flumekit/flumekit/pkg/channel/all"
	sinks "github.com/flumekit/flumekit/pkg/sink/all"
	sources "github.com/flumekit/flumekit/pkg/source/all"
)

// check returns all that is wrong with the agents of a file: of those named, or
// of all.
func check(file *flumeconf.File, names ...string) problems {
	var found problems
	for _, p := range file.Check(names...) {
		found.add(p.Severity, p.Err)
	}
	if len(names) == 0 {
		names = file.Agents()
	}
	for _, name := range names {
		a, err := file.Agent(name)
		if err != nil {
			found.add(flumeconf.Error, err)
			continue
		}
		found = append(found, checkAgent(a)...)
	}
	found.sort()
	return found
}

// checker finds what is wrong with an agent's components. It keeps the options
// of those that are sound.
type checker struct {
	problems
	channels    map[string]channel.Options
	directories map[string]string // channels by the paths of their directories
}

func checkAgent(a *flumeconf.Agent) problems {
	c := &checker{channels: make(map[string]channel.Options), directories: make(map[string]string)}
	for _, p := range agent.NewPlan(a, "", traits).Processes {
		switch p.Component.Kind {
		case flumeconf.Channel:
			if spec, ok := find(c, channels.Catalog, p.Component); ok {
				c.checkChannel(&p, spec.New())
			}
		case flumeconf.Sink:
			c.checkSink(&p)
		case flumeconf.Source:
			if spec, ok := find(c, sources.For(p.Component.Type), p.Component); ok {
				c.checkSource(&p, spec)
			}
		case flumeconf.SinkGroup:
			c.checkGroup(&p)
		}
	}
	return c.problems
}

// find returns the type of a component, or reports that there is no such.
func find[O any](c *checker, catalog component.Catalog[O], of *flumeconf.Component) (component.Spec[O], bool) {
	spec, err := catalog.Find(string(of.Kind), of.Type)
	if err != nil {
		c.wrong(err, of.Where("type"))
	}
	return spec, err == nil
}

// wrong reports an error.
func (c *checker) wrong(err error, where string) {
	c.add(flumeconf.Error, fault.At(err, where))
}

// decode sets options from the properties of a component, reports what is wrong
// with them, and says whether they are sound.
func (c *checker) decode(p *agent.Process, options ...any) bool {
	return c.report(cli.Decode(p.Properties, p.Component.Where, options...))
}

func (c *checker) report(found cli.Findings) bool {
	c.add(flumeconf.Error, found.Errors...)
	for _, err := range slices.Concat(found.Warnings, found.Notices) {
		c.problems = append(c.problems, problem{severity: flumeconf.Warning, err: err, told: true})
	}
	return len(found.Errors) == 0
}

// decodePart is decode for the properties below a prefix.
func (c *checker) decodePart(of *flumeconf.Component, prefix string, options any) bool {
	where := func(key string) string { return of.Where(prefix + key) }
	return c.report(cli.Decode(cli.Below(of.Properties, prefix), where, options))
}

func (c *checker) checkChannel(p *agent.Process, options channel.Options) {
	if !c.decode(p, options) {
		return
	}
	c.channels[p.Component.Name] = options
	if housed, ok := options.(channel.Housed); ok {
		c.checkDirectory(p.Component, housed)
	}
}

// checkDirectory compares the directory of a channel with those of the channels
// before it.
func (c *checker) checkDirectory(of *flumeconf.Component, housed channel.Housed) {
	dir, property, err := housed.Path(component.WithName(context.Background(), of.Name))
	if err != nil {
		c.wrong(err, of.Where(property))
		return
	}
	if dir == "" {
		return
	}
	if owner, ok := c.directories[dir]; ok {
		err := fmt.Errorf("channel %s has the directory of channel %s, %s, which can belong to only one of them", of.Name, owner, dir)
		c.wrong(fault.Hint(err, "give it one of its own: %s = DIR", of.Key(property)), of.Where(property))
		return
	}
	c.directories[dir] = of.Name
}

func (c *checker) checkSink(p *agent.Process) {
	spec, ok := find(c, sinks.For(p.Component.Type), p.Component)
	if !ok {
		return
	}
	if options := spec.New(); c.decode(p, options) {
		c.checkBatch(p.Component, options, p.Component.Channel)
	}
}

func (c *checker) checkSource(p *agent.Process, spec source.Spec) {
	of := p.Component
	if spec.Name == "stdin" {
		err := fmt.Errorf("source %s reads standard input, which a process of an agent does not have", of.Name)
		c.wrong(fault.Hint(err, "run it in a pipeline: fsrc stdin | fchan … | fsink …"), of.Where("type"))
	}
	var common source.Common
	options := spec.New()
	sound := c.decode(p, options, &common)
	for _, name := range common.Interceptors {
		prefix := "interceptors." + name + "."
		if options, ok := findPart(c, interceptor.Catalog, "interceptor", of, prefix); ok {
			c.decodePart(of, prefix, options)
		}
	}
	if options, ok := findPart(c, selector.Catalog, "channel selector", of, "selector."); ok && c.decodePart(of, "selector.", options) {
		if _, err := options.Build(of.Channels); err != nil {
			c.wrong(err, of.Where(culprit(of, err)))
		}
	}
	for _, channel := range of.Channels {
		if sound {
			c.checkBatch(of, options, channel)
		}
	}
}

// findPart is find for an interceptor or a selector.
func findPart[O any](c *checker, catalog component.Catalog[O], kind string, of *flumeconf.Component, prefix string) (O, bool) {
	var none O
	typ, ok := of.Lookup(prefix + "type")
	switch {
	case ok:
	case prefix == "selector.":
		typ.Value = "replicating"
	default:
		err := fmt.Errorf("the %s %s has no type", kind, strings.Split(prefix, ".")[1])
		err = fault.Hint(err, "write %s = …; the types are %s", of.Key(prefix+"type"), strings.Join(catalog.Names(), ", "))
		c.wrong(err, of.Where(prefix+"type"))
		return none, false
	}
	spec, err := catalog.Find(kind, typ.Value)
	if err != nil {
		c.wrong(err, of.Where(prefix+"type"))
		return none, false
	}
	return spec.New(), true
}

// culprit returns the property of a selector that err begins with the name of,
// or the selector's type.
func culprit(of *flumeconf.Component, err error) string {
	word, _, _ := strings.Cut(err.Error(), " ")
	word = strings.TrimSuffix(word, ":")
	for _, key := range []string{word, "selector." + word} {
		if _, ok := of.Lookup(key); ok {
			return key
		}
	}
	return "selector.type"
}

// checkBatch compares the batches of a source or a sink with the transactions of
// its channel.
func (c *checker) checkBatch(of *flumeconf.Component, options any, name string) {
	batcher, batches := options.(sink.Batcher)
	limited, sound := c.channels[name]
	if _, splits := limited.(channel.Splitter); !batches || !sound || splits {
		return
	}
	batch, transaction := batcher.MaxEvents(), limited.MaxEvents()
	if batch <= transaction {
		return
	}
	kind := string(of.Kind)
	//lint:ignore ST1005 it is Flume's text
	err := fmt.Errorf("Incompatible %s and channel settings defined. %[1]s's batch size is greater than the channels transaction capacity. "+
		"%s: %s, batch size = %d, channel %s, transaction capacity = %d",
		kind, strings.ToUpper(kind[:1])+kind[1:], of.Name, batch, name, transaction)
	key := batchKey(of)
	err = fault.Hint(err, "set %s to %d at most, or the channel's transactionCapacity to %d", of.Key(key), transaction, batch)
	c.wrong(err, of.Where(key))
}

// batchKey returns the property of a component that sets its batch size.
func batchKey(of *flumeconf.Component) string {
	for _, p := range of.Properties {
		if strings.HasSuffix(strings.ToLower(strings.ReplaceAll(p.Key, "-", "")), "batchsize") {
			return p.Key
		}
	}
	return "batchSize"
}

// checkGroup checks a sink group and the sinks in it.
func (c *checker) checkGroup(p *agent.Process) {
	of := p.Component
	for i := range p.Members {
		c.checkSink(&p.Members[i])
	}
	spec, err := sinkgroup.Catalog.Find("sink processor", of.Type)
	if err != nil {
		c.wrong(err, of.Where("processor.type"))
		return
	}
	options := spec.New().(sinkgroup.Options)
	c.decode(p, options)
}

// traits returns what the type of a component means for its process.
func traits(of *flumeconf.Component) agent.Traits {
	switch of.Kind {
	case flumeconf.Channel:
		if spec, err := channels.Catalog.Find("channel", of.Type); err == nil {
			return agent.Traits{Forgets: spec.New().Forgets()}
		}
	case flumeconf.Source:
		if spec, err := sources.Catalog.Find("source", of.Type); err == nil {
			// Its command is run again if it was asked to be, by the source.
			restart, _ := of.Lookup("restart")
			return agent.Traits{Final: spec.Name == "exec" && !strings.EqualFold(restart.Value, "true")}
		}
	}
	return agent.Traits{}
}
