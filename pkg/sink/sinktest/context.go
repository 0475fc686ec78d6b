package sinktest

import (
	"context"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// Context returns a context for Open as a command gives it: with the name k1
// and a logger, which writes to t's log.
func Context(t testing.TB) context.Context {
	log := zerolog.New(zerolog.NewTestWriter(t))
	return log.WithContext(component.WithName(t.Context(), "k1"))
}

// Set sets options as a command does, from keys and values in turn and the
// defaults, and returns them. A property that is unknown or wrong fails t.
func Set[O any](t testing.TB, options O, keysAndValues ...string) O {
	t.Helper()
	var props []flumeconf.Property
	for i := 0; i < len(keysAndValues); i += 2 {
		props = append(props, flumeconf.Property{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	found := cli.Decode(props, nil, options)
	for _, err := range append(found.Errors, found.Warnings...) {
		t.Fatal(strings.Join(fault.Lines(err), "\n"))
	}
	return options
}
