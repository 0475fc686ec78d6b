package cli_test

import (
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
)

// spoilt is options with every fault that Verify knows.
type spoilt struct {
	Format   string          `name:"log-format" help:"Hides one of the process's."`
	Channels string          `name:"channels" help:"Hides one of the shared."`
	Silent   string          `name:"silent"`
	Seconds  option.Seconds  `name:"seconds" default:"soon" help:"Has no such default."`
	Opaque   struct{ X int } `name:"opaque" help:"Cannot be read."`
}

func (*spoilt) kind() string { return "spoilt" }

func TestVerify(t *testing.T) {
	shared := func() []cli.Group {
		g, _ := group()
		return []cli.Group{g}
	}
	if err := cli.Verify(catalog, shared); err != nil {
		t.Errorf("a catalogue in order: %v", err)
	}
	bad := component.Catalog[options]{
		catalog[0],
		{Name: "Spoilt", Class: "POND", Summary: "none", Target: component.Single("X", "nothing"), New: func() options { return new(spoilt) }},
	}
	err := cli.Verify(bad, shared)
	if err == nil {
		t.Fatal("got nothing wrong")
	}
	for _, want := range []string{
		"Spoilt: another component has the name POND",
		`Spoilt: the name "Spoilt" is not in lower case`,
		`Spoilt: the summary "none" is no sentence`,
		"Spoilt: there is no manual",
		"Spoilt: its target sets nothing, which it has not",
		"Spoilt: silent has no help",
		"Spoilt: --log-format means two things",
		"Spoilt: --channels means two things",
		`Spoilt: the default of seconds: "soon" is not a number of seconds`,
		"Spoilt: opaque takes none of",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}
