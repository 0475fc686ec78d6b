// The load_balance processor spreads batches over the sinks of the group.
//
//	fsink load_balance --sinks 'k1 k2' --processor.backoff \
//		--sinks.k1.type=avro --sinks.k1.hostname=one --sinks.k1.port=4141 \
//		--sinks.k2.type=avro --sinks.k2.hostname=two --sinks.k2.port=4141
//
// The sinks take turns, or with processor.selector random are drawn by lot. One
// batch is written at a time, by one sink. If that fails, the others try the
// batch in the same order, which goes on with the next batch.
//
// With processor.backoff a sink that has failed is left alone for two seconds,
// then for four when it fails again, and so on up to
// processor.selector.maxTimeOut. Without it a sink that is down is tried again
// each time it has its turn, and its share goes to the one that comes after it.
//
// A batch may arrive twice, once at each of two sinks, if one fails after it has
// written events. A sink that cannot be opened is left alone for up to 30 seconds
// in any case, and the group works with the others; it does not start if none
// can be opened.

package sinkgroup

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/sink"
)

//go:embed loadbalance.go
var loadBalanceText string

// LoadBalanceSpec is the load_balance processor's line in the catalogue.
var LoadBalanceSpec = sink.Spec{
	Name:    "load_balance",
	Class:   "org.apache.flume.sink.LoadBalancingSinkProcessor",
	Summary: "A group of sinks over which events are spread.",
	Manual:  component.Manual(loadBalanceText),
	New:     func() sink.Options { return new(LoadBalance) },
}

// LoadBalance is the properties of a load balancing group.
type LoadBalance struct {
	Members    `embed:""`
	Selector   Selector      `name:"processor.selector" default:"round_robin" placeholder:"SELECTOR" help:"How the sink of a batch is chosen: round_robin or random."`
	Backoff    option.Bool   `name:"processor.backoff" default:"false" help:"Leave a sink alone for a while when it has failed."`
	MaxTimeOut option.Millis `name:"processor.selector.maxTimeOut" default:"30000" help:"With processor.backoff: longest time that a sink is left alone; 0 is 30000."`
}

// defaultTimeOut bounds the time that a sink is left alone if nothing else does.
const defaultTimeOut = 30 * time.Second

// Selector is how the sink of a batch is chosen.
type Selector string

// The selectors there are.
const (
	RoundRobin Selector = "round_robin"
	Random     Selector = "random"
)

// UnmarshalText reads a selector's name, in any letter case.
func (s *Selector) UnmarshalText(text []byte) error {
	names := []string{string(RoundRobin), string(Random)}
	for _, name := range names {
		if strings.EqualFold(name, string(text)) {
			*s = Selector(name)
			return nil
		}
	}
	err := fmt.Errorf("unknown sink selector %q", text)
	if near := fault.Closest(string(text), names); near != "" {
		return fault.Hint(err, "did you mean %s?", near)
	}
	return fault.Hint(err, "write round_robin or random; a class of Java's cannot be loaded here")
}

// Validate checks what the values alone can tell.
func (l *LoadBalance) Validate() error {
	if err := l.check(); err != nil {
		return err
	}
	if len(l.Names) == 1 {
		return fault.Hint(fmt.Errorf("sinks has one name; the load_balance processor cannot be used for a single sink"),
			"name two sinks or more")
	}
	if l.MaxTimeOut < 0 {
		return fault.Hint(fmt.Errorf("processor.selector.maxTimeOut is %v", l.MaxTimeOut.Duration()), "it must be 0 or more")
	}
	return nil
}

// Open implements sink.Options.
func (l *LoadBalance) Open(ctx context.Context) (sink.Sink, error) {
	penalty, opening := time.Duration(0), defaultTimeOut
	if l.Backoff {
		penalty = cmp.Or(l.MaxTimeOut.Duration(), defaultTimeOut)
		opening = penalty
	}
	g, err := l.open(ctx, penalty, opening)
	if err != nil {
		return nil, err
	}
	g.failed, g.none = "Sink %s failed. Attempting next sink if available", "all configured sinks have failed"
	next := 0
	g.order = func(now time.Time) []*member {
		able := rested(g.members, now)
		switch {
		case len(able) == 0:
			// Flume: a random selector with backoff fails here with an
			// exception of Java's.
			return nil
		case l.Selector == Random:
			rand.Shuffle(len(able), func(i, j int) { able[i], able[j] = able[j], able[i] })
			return able
		}
		first := next % len(able)
		next = first + 1
		return slices.Concat(able[first:], able[:first])
	}
	return g, nil
}
