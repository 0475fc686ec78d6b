package cli_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
)

// lake takes what nothing else does.
type lake struct {
	Depth string            `name:"depth" default:"9" help:"How deep it is."`
	Rest  map[string]string `name:"<property>" help:"Properties of the lake's own."`
}

func (*lake) kind() string { return "lake" }

var lakes = component.Catalog[options]{{
	Name:    "lake",
	Summary: "Take what swims in a lake.",
	Manual:  "Package lake is the lake source.\n",
	New:     func() options { return new(lake) },
}}

// parseLake reads a command line with properties of the process.
func parseLake(args ...string) (*cli.Command[options], *every, error) {
	g, shared := group()
	format := struct {
		Format string `name:"format" help:"Form of the output."`
		Once   bool   `name:"once" help:"End at the end."`
	}{}
	c, err := cli.Parse(program, lakes, append([]string{"lake"}, args...), g, cli.Group{Title: "Output", Options: &format, Command: true})
	return c, shared, err
}

func TestRest(t *testing.T) {
	name := file(t, "type = lake\ndepth = 1\nfish = carp\nformat = json\ninterceptors.i1.type = host\nfish.size = 3\n")
	c, shared, err := parseLake("--properties", name, "--fish=pike", "--format=text", "--no-once", "--log-level=debug", "--boats", "-5", "--channel=c1=a")
	if err != nil {
		t.Fatalf("got %q", fault.Lines(err))
	}
	own := c.Options.(*lake)
	want := map[string]string{"fish": "pike", "fish.size": "3", "boats": "-5", "format": "json"}
	if !maps.Equal(own.Rest, want) {
		t.Errorf("got %v; want %v", own.Rest, want)
	}
	if own.Depth != "1" || c.Level != "debug" || !reflect.DeepEqual(shared.Channel, []string{"c1=a"}) || shared.Interceptors["i1.type"] != "host" {
		t.Errorf("others' properties are not theirs: %+v, %+v, %+v", own, c.Logging, shared)
	}
	if c.Warnings != nil {
		t.Errorf("got warnings %v", c.Warnings)
	}
}

func TestRestOfADecode(t *testing.T) {
	own, shared := new(lake), new(every)
	found := cli.Decode(read(t, "channels = c1\nfish = carp\ntype = lake"), nil, own, shared)
	if err := found.Err(); err != nil || found.Warnings != nil {
		t.Fatalf("got %v, %v", err, found.Warnings)
	}
	if !maps.Equal(own.Rest, map[string]string{"fish": "carp"}) || len(shared.Channels) != 1 {
		t.Errorf("got %v and %v", own.Rest, shared.Channels)
	}
}

func TestRestRefuses(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--fish", "error: --fish needs a value | hint: write --fish=VALUE"},
		{"--fish --boats=2", "error: --fish needs a value | hint: write --fish=VALUE"},
		{"-x", "error: unknown flag -x | hint: fsrc lake --help lists the flags"},
	} {
		_, _, err := parseLake(strings.Fields(tt.args)...)
		if got := strings.Join(fault.Lines(err), " | "); got != tt.want {
			t.Errorf("%s: got %s; want %s", tt.args, got, tt.want)
		}
	}
}

func TestType(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", ""},
		{"--help", ""},
		{"lake --fish=carp", "lake"},
		{"help lake", "lake"},
		{"help", "help"},
	} {
		if got := cli.Type(strings.Fields(tt.args)); got != tt.want {
			t.Errorf("%q: got %q; want %q", tt.args, got, tt.want)
		}
	}
}

func TestRestHidesNothing(t *testing.T) {
	shared := func() []cli.Group {
		g, _ := group()
		return []cli.Group{g}
	}
	if err := cli.Verify(lakes, shared); err != nil {
		t.Error(err)
	}
	page, err := cli.Manual(program, lakes[0])
	if err != nil || !strings.Contains(page, "  --<property> TEXT\n") {
		t.Errorf("got %v; want --<property> in:\n%s", err, page)
	}
}
