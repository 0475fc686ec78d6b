package cli_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
	"github.com/flumekit/flumekit/pkg/option"
)

// options is what the components of the tests' catalogue have as options.
type options interface{ kind() string }

// pond is a made-up source with a property of each sort.
type pond struct {
	Bind    string            `name:"bind" required:"" placeholder:"HOST" help:"Address to listen on."`
	Port    option.Int        `name:"port" default:"7" help:"Port to listen on."`
	Offset  int               `name:"offset" default:"0" help:"Where to begin."`
	Roll    option.Seconds    `name:"hdfs.rollInterval" aliases:"hdfs-roll-interval" default:"30" help:"How long a file is written to."`
	Ack     option.Bool       `name:"ack-every-event" default:"true" help:"Whether each event is answered."`
	Loud    bool              `name:"loud" help:"Make noise."`
	Files   []string          `name:"filegroups" sep:" " help:"Names of the groups."`
	Hosts   []string          `name:"hosts" help:"Hosts; $$ is nobody."`
	Ports   []option.Int      `name:"ports" sep:" " help:"Ports."`
	Paths   map[string]string `name:"filegroups.<group>" help:"Files of a group."`
	Headers map[string]string `name:"headers.<group>.<key>" help:"Headers of a group's events."`
	Type    string            `name:"fileType" enum:"SequenceFile,DataStream" default:"SequenceFile" help:"Form of the files."`
	Path    string            `name:"path" default:"%{host}/$$/%Y" help:"Where files go."`
	Pass    option.Secret     `name:"password" help:"Password."`
	Threads string            `name:"threads" notice:"connections need no threads here"`
	Water   water             `name:"water" default:"fresh" help:"What is in it."`
	TLS     tls               `embed:"" prefix:"ssl-" group:"TLS"`
}

func (*pond) kind() string { return "pond" }

// Validate checks one property by name, and two together.
func (p *pond) Validate() error {
	var found []error
	if p.Port < 1 {
		found = append(found, fmt.Errorf("port is %d; it must be 1 or more", p.Port))
	}
	if p.Loud && !bool(p.Ack) {
		found = append(found, errors.New("a loud pond has to answer"))
	}
	return errors.Join(found...)
}

// tls is options embedded in others.
type tls struct {
	Store string `name:"keystore" help:"File with the keys."`
	Kind  string `name:"keystore-type" default:"JKS" help:"Kind of the file."`
}

// Validate checks that two properties come together.
func (t *tls) Validate() error {
	if t.Kind != "JKS" && t.Store == "" {
		return errors.New("ssl-keystore is missing")
	}
	return nil
}

// water is a component within the component.
type water struct{ options any }

// salt is the options of one kind of water.
type salt struct {
	Grams option.Int  `name:"grams" required:"" help:"Salt in a litre."`
	Warm  option.Bool `name:"warm" help:"Whether it is warm."`
}

// fresh is the options of another.
type fresh struct {
	Fish string `name:"fish" default:"carp" help:"What swims in it."`
}

// Choose returns the options of a kind of water.
func (w *water) Choose(name string) (any, error) {
	switch name {
	case "fresh":
		w.options = new(fresh)
	case "salt":
		w.options = new(salt)
	default:
		return nil, fault.Hint(fmt.Errorf("unknown water %q", name), "write fresh or salt")
	}
	return w.options, nil
}

// puddle is a made-up source without properties to speak of.
type puddle struct {
	Depth option.Int `name:"depth" default:"1" unit:"inches" help:"How deep it is."`
}

func (*puddle) kind() string { return "puddle" }

// every is the shared options of all.
type every struct {
	Channels     []string          `name:"channels" sep:" " help:"Names of the channels."`
	Channel      []string          `name:"channel" sep:"none" placeholder:"NAME=ADDR" help:"A channel and where it listens. May be given several times."`
	Mapping      map[string]string `name:"selector.mapping.<value>" help:"Channels for a header's value."`
	Interceptors map[string]string `name:"interceptors.<name>.<property>" help:"Properties of an interceptor."`
}

func group() (cli.Group, *every) {
	e := new(every)
	return cli.Group{Title: "Every source", Options: e}, e
}

var program = cli.Program{
	Name:     "fsrc",
	Kind:     "source",
	Summary:  "fsrc takes events in.",
	Commands: []cli.Example{{Command: "drain ADDR", Effect: "Let the water out."}},
	Examples: []cli.Example{{Command: "fsrc pond :7 | fsink logger", Effect: "Show what is in the pond."}},
}

var catalog = component.Catalog[options]{
	{
		Name:    "pond",
		Class:   "org.apache.flume.source.PondSource",
		Summary: "Take what swims in a pond.",
		Manual:  "Package pond is the pond source: it waits for fish.\n\nIts end is\n\n\tfsrc pond :7\n",
		Target: &component.Target{Placeholder: "[HOST]:PORT", Properties: func(word string) (map[string]string, error) {
			host, port, err := net.SplitHostPort(word)
			if err != nil {
				return nil, fault.Hint(fmt.Errorf("%q is not an address", word), "write HOST:PORT or :PORT")
			}
			return map[string]string{"bind": host, "port": port}, nil
		}},
		New: func() options { return new(pond) },
	},
	{
		Name:    "puddle",
		Summary: "Take what a puddle has.",
		Manual:  "Package puddle is the puddle source.\n",
		New:     func() options { return new(puddle) },
	},
}

// read returns the properties of a text.
func read(t *testing.T, text string) []flumeconf.Property {
	t.Helper()
	props, err := flumeconf.Parse("flume.conf", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return props
}

// lines returns errors as a command prints them, joined by " | ".
func lines(errs ...error) string {
	return strings.Join(fault.Lines(errors.Join(errs...)), " | ")
}
