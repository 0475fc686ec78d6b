package cli_test

import (
	"slices"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
)

func TestTargetWithMoreWords(t *testing.T) {
	catalog := component.Catalog[options]{{
		Name:    "puddle",
		Summary: "Take what swims in a puddle.",
		Target:  &component.Target{Placeholder: "DEPTH [CHANNEL ...]", Properties: component.Single("", "depth").Properties, More: "channel"},
		New:     func() options { return new(puddle) },
	}}
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"puddle", "3"}, nil},
		{[]string{"puddle", "3", "a=1", "b,c=2 3"}, []string{"a=1", "b,c=2 3"}},
		{[]string{"puddle", "3", "a=1", "--channel=b=2"}, []string{"a=1", "b=2"}},
	} {
		g, shared := group()
		c, err := cli.Parse(program, catalog, tt.args, g)
		if err != nil {
			t.Errorf("%q: %q", tt.args, fault.Lines(err))
			continue
		}
		if got := c.Options.(*puddle).Depth; got != 3 || !slices.Equal(shared.Channel, tt.want) {
			t.Errorf("%q: got %v and %q; want 3 and %q", tt.args, got, shared.Channel, tt.want)
		}
	}
}
