package cli_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// grammar is a made-up program with subcommands.
type grammar struct {
	Agent agent `cmd:"" help:"Run an agent."`
	Check check `cmd:"" help:"Check a configuration."`
}

type agent struct {
	Name     string         `name:"name" short:"n" required:"" placeholder:"NAME" help:"Name of the agent."`
	File     string         `name:"conf-file" short:"f" required:"" placeholder:"FILE" help:"Configuration to run."`
	Java     []string       `name:"java" short:"D" sep:"none" placeholder:"KEY=VALUE" help:"Property of Java's; without effect."`
	NoReload bool           `name:"no-reload-conf" help:"Do not watch the file."`
	Grace    option.Seconds `name:"grace" default:"10" help:"How long to wait for the channels to drain."`
}

func (*agent) Help() string { return "Agent runs a topology.\n\nIt ends when all of it has." }

func (a *agent) Run(context.Context, context.Context) error { return nil }

func (a *agent) Validate() error {
	if a.Grace < 0 {
		return fault.Hint(errors.New("--grace is negative"), "write 0 for none")
	}
	return nil
}

type check struct {
	Files []string `arg:"" placeholder:"FILE" help:"Files to check."`
}

func (*check) Run(context.Context, context.Context) error { return nil }

var control = cli.Program{Name: "fctl", Summary: "fctl runs topologies.", More: "See the guide."}

func TestParseCommands(t *testing.T) {
	for _, tt := range []struct {
		args string
		want cli.Subcommand
	}{
		{"agent -n a1 -f x", &agent{Name: "a1", File: "x", Grace: 10e9}},
		{"agent --name=a1 --conf-file x --no-reload-conf", &agent{Name: "a1", File: "x", NoReload: true, Grace: 10e9}},
		{"agent -name a1 -conf-file=x -Dflume.root.logger=INFO,console -D a=b --grace 5m",
			&agent{Name: "a1", File: "x", Java: []string{"flume.root.logger=INFO,console", "a=b"}, Grace: 300e9}},
		{"check a b", &check{Files: []string{"a", "b"}}},
	} {
		got, err := cli.ParseCommands(control, new(grammar), strings.Fields(tt.args))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v; want %+v", tt.args, got, err, tt.want)
		}
	}
}

func TestParseCommandsRefuses(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", "error: no command given | hint: fctl --help lists the commands"},
		{"agnet", "error: unexpected argument agnet | hint: did you mean agent?"},
		{"agent --nmae a1", "error: unknown flag --nmae | hint: did you mean --name?"},
		{"agent -n a1", "error: missing flags: --conf-file=FILE | hint: write fctl agent --name NAME --conf-file FILE [--option value ...]; fctl agent --help is its manual"},
		{"check", `error: expected "<files> ..." | hint: write fctl check FILE ...; fctl check --help is its manual`},
		{"agent -n a1 -f x --grace five", `error: --grace: "five" is not a number of seconds | hint: write 30, 30s or 5m | hint: write fctl agent --name NAME --conf-file FILE [--option value ...]; fctl agent --help is its manual`},
		{"agent -n a1 -f x --grace=-1", `error: agent: --grace is negative | hint: write 0 for none | hint: write fctl agent --name NAME --conf-file FILE [--option value ...]; fctl agent --help is its manual`},
	} {
		_, err := cli.ParseCommands(control, new(grammar), strings.Fields(tt.args))
		if got := lines(err); got != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.args, got, tt.want)
		}
		if got := fault.Status(err); got != fault.Usage {
			t.Errorf("%s: status: got %d; want %d", tt.args, got, fault.Usage)
		}
	}
}

func TestParseCommandsAnswers(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--help", "fctl runs topologies."},
		{"help", "fctl runs topologies."},
		{"--version", "fctl "},
		{"agent -n a1 --help", "fctl agent: Run an agent."},
		{"help agent", "fctl agent: Run an agent."},
	} {
		_, err := cli.ParseCommands(control, new(grammar), strings.Fields(tt.args))
		var answer cli.Answer
		if !errors.As(err, &answer) || !strings.HasPrefix(string(answer), tt.want) {
			t.Errorf("%s: got %v; want an answer that begins %q", tt.args, err, tt.want)
		}
	}
}
