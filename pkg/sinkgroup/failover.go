// The failover processor has the sink of the highest priority write all events,
// and the next one while that fails.
//
//	fsink failover --sinks 'k1 k2' \
//		--processor.priority.k1=10 --processor.priority.k2=5 \
//		--sinks.k1.type=avro --sinks.k1.hostname=one --sinks.k1.port=4141 \
//		--sinks.k2.type=avro --sinks.k2.hostname=two --sinks.k2.port=4141
//
// A sink that has failed is left alone for two seconds, then for four when it
// fails again, and so on up to processor.maxpenalty. After that the next batch
// is for it to try, unless one of a higher priority has that. So events go back
// to the better sink as soon as that has recovered. While all are left alone,
// events wait.
//
// Of the sinks without a priority the first in sinks has -1, the second -2, and so
// on. The priorities that are given must all be different.
//
// A batch may arrive twice, once at each of two sinks, if one fails after it has
// written events. A sink that cannot be opened is left alone likewise, and the
// group works with the others; it does not start if none can be opened.

package sinkgroup

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed failover.go
var failoverText string

// FailoverSpec is the failover processor's line in the catalogue.
var FailoverSpec = sink.Spec{
	Name:    "failover",
	Class:   "org.apache.flume.sink.FailoverSinkProcessor",
	Summary: "A group of sinks of which the best that works has all events.",
	Manual:  component.Manual(failoverText),
	New:     func() sink.Options { return new(Failover) },
}

// Failover is the properties of a failover group.
type Failover struct {
	Members    `embed:""`
	Priority   map[string]option.Int `name:"processor.priority.<sink>" placeholder:"NUMBER" help:"Priority of a sink of the group; the higher one is preferred."`
	MaxPenalty option.Millis         `name:"processor.maxpenalty" default:"30000" help:"Longest time that a sink which has failed is left alone."`
}

// Validate checks what the values alone can tell.
//
// Flume: of sinks with one priority all but one are never used; a priority or a
// maxpenalty that is no number counts as not given.
func (f *Failover) Validate() error {
	if f.MaxPenalty < 0 {
		return fault.Hint(fmt.Errorf("processor.maxpenalty is %v", f.MaxPenalty.Duration()), "it must be 0, for none, or more")
	}
	for i, name := range f.Names {
		priority, ok := f.Priority[name]
		if !ok {
			continue
		}
		for _, other := range f.Names[:i] {
			if p, ok := f.Priority[other]; ok && p == priority {
				return fault.Hint(fmt.Errorf("processor.priority.%s is %d, as is that of %s", name, priority, other),
					"give each sink a priority of its own")
			}
		}
	}
	return f.check()
}

// Warnings tells what is hardly meant, and does no harm.
func (f *Failover) Warnings() []error {
	found := f.Members.Warnings()
	for _, name := range slices.Sorted(maps.Keys(f.Priority)) {
		if !slices.Contains(f.Names, name) {
			found = append(found, f.stray("processor.priority."+name, name))
		}
	}
	if len(f.Names) == 1 {
		found = append(found, fault.Hint(fmt.Errorf("sinks has one name: there is none to fail over to"), "name two sinks or more"))
	}
	return found
}

// Open implements sink.Options.
func (f *Failover) Open(ctx context.Context) (sink.Sink, error) {
	penalty := f.MaxPenalty.Duration()
	g, err := f.open(ctx, penalty, penalty)
	if err != nil {
		return nil, err
	}
	g.failed, g.none = "Sink %s failed and has been sent to failover list", "all sinks failed, nothing left to failover to"
	ranks := f.ranks()
	slices.SortStableFunc(g.members, func(a, b *member) int { return cmp.Compare(ranks[b.name], ranks[a.name]) })
	// Flume: when a sink's penalty has passed it is given the next batch even
	// while a better one works.
	g.order = func(now time.Time) []*member { return rested(g.members, now) }
	return g, nil
}

// ranks returns the priority of each sink.
//
// Flume: which of those that have none given comes first depends on a hash; the
// guide says that it is the order of the configuration.
func (f *Failover) ranks() map[string]int {
	ranks, next := make(map[string]int), -1
	for _, name := range f.Names {
		priority, ok := f.Priority[name]
		ranks[name] = int(priority)
		if !ok {
			ranks[name] = next
			next--
		}
	}
	return ranks
}
