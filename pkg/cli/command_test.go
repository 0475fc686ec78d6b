package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// parse reads a command line of the tests' program.
func parse(args ...string) (*cli.Command[options], *every, error) {
	g, shared := group()
	c, err := cli.Parse(program, catalog, args, g)
	return c, shared, err
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		got  func(*pond, *every) any
		want any
	}{
		{"reads the target", []string{"h:9"}, func(p *pond, _ *every) any { return []any{p.Bind, p.Port} }, []any{"h", option.Int(9)}},
		{"prefers a flag to the target", []string{"--port", "3", "h:9"}, func(p *pond, _ *every) any { return p.Port }, option.Int(3)},
		{"reads --flag=value", []string{":1", "--hdfs.rollInterval=5"}, func(p *pond, _ *every) any { return p.Roll.String() }, "5s"},
		{"reads --flag value", []string{":1", "--hdfs.rollInterval", "5"}, func(p *pond, _ *every) any { return p.Roll.String() }, "5s"},
		{"reads aliases", []string{":1", "--hdfs-roll-interval", "5"}, func(p *pond, _ *every) any { return p.Roll.String() }, "5s"},
		{"reads negative numbers after a blank", []string{":1", "--offset", "-5"}, func(p *pond, _ *every) any { return p.Offset }, -5},
		{"reads negative numbers after =", []string{":1", "--offset=-5"}, func(p *pond, _ *every) any { return p.Offset }, -5},
		{"reads values that look like flags", []string{":1", "--path", "--x"}, func(p *pond, _ *every) any { return p.Path }, "--x"},
		{"reads --bool", []string{":1", "--loud"}, func(p *pond, _ *every) any { return p.Loud }, true},
		{"reads --no-bool", []string{":1", "--no-ack-every-event"}, func(p *pond, _ *every) any { return p.Ack }, option.Bool(false)},
		{"reads --bool=false", []string{":1", "--ack-every-event=false"}, func(p *pond, _ *every) any { return p.Ack }, option.Bool(false)},
		{"takes no value after a boolean", []string{"--loud", ":1"}, func(p *pond, _ *every) any { return []any{p.Loud, p.Port} }, []any{true, option.Int(1)}},
		{"reads --wildcard.key=value", []string{":1", "--selector.mapping.CZ=c1 c2"}, func(_ *pond, e *every) any { return e.Mapping }, map[string]string{"CZ": "c1 c2"}},
		{"reads --wildcard.key value", []string{":1", "--selector.mapping.CZ", "c1", "--selector.mapping.US=c2;x"}, func(_ *pond, e *every) any { return e.Mapping }, map[string]string{"CZ": "c1", "US": "c2;x"}},
		{"reads an = in a value", []string{":1", "--filegroups.f1=/a=b"}, func(p *pond, _ *every) any { return p.Paths }, map[string]string{"f1": "/a=b"}},
		{"gathers a list", []string{":1", "--channel", "c1=unix:/a,b", "--channel=c2=unix:/c d"}, func(_ *pond, e *every) any { return e.Channel }, []string{"c1=unix:/a,b", "c2=unix:/c d"}},
		{"takes the last of others", []string{":1", "--offset=1", "--offset=2"}, func(p *pond, _ *every) any { return p.Offset }, 2},
		{"ends flags at --", []string{"--bind=x", "--", ":1"}, func(p *pond, _ *every) any { return p.Port }, option.Int(1)},
		{"sets a part", []string{":1", "--water.grams", "4", "--water=salt", "--water.warm=true"}, func(p *pond, _ *every) any { return p.Water.options }, &salt{Grams: 4, Warm: true}},
		{"knows the booleans of a part", []string{"--water.warm", ":1", "--water", "salt", "--water.grams=4"}, func(p *pond, _ *every) any { return p.Water.options }, &salt{Grams: 4, Warm: true}},
		{"knows the negations of a part", []string{"--no-water.warm", ":1", "--water", "salt", "--water.grams=4"}, func(p *pond, _ *every) any { return p.Water.options }, &salt{Grams: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, shared, err := parse(append([]string{"pond"}, tt.args...)...)
			if err != nil {
				t.Fatalf("got %q", fault.Lines(err))
			}
			if got := tt.got(c.Options.(*pond), shared); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v; want %#v", got, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		args, want string
	}{
		{"", `error: no source type given | hint: fsrc --help lists the types`},
		{"pnod", `error: unknown source type "pnod" | hint: did you mean pond?`},
		{"--port 5 pond", `error: --port stands where the source's type should | hint: write the type first: fsrc TYPE [TARGET] [--property value ...]`},
		{"pond", `error: --bind is missing | hint: write fsrc pond [HOST]:PORT, or --bind=HOST: Address to listen on.`},
		{"pond 9", `error: "9" is not an address | hint: write HOST:PORT or :PORT`},
		{"pond :x", `error: :x: "x" is not a whole number | hint: write decimal digits alone, such as 1000`},
		{"pond :1 :2", `error: unexpected argument ":2" | hint: write fsrc pond [HOST]:PORT [--property value ...]`},
		{"puddle :1", `error: unexpected argument ":1" | hint: write fsrc puddle [--property value ...]`},
		{"pond :1 --prot 5", `error: unknown flag --prot | hint: did you mean --port?`},
		{"pond :1 --no-port", `error: unknown flag --no-port | hint: did you mean --port?`},
		{"pond :1 --zzzzzzzzzzzz", `error: unknown flag --zzzzzzzzzzzz | hint: fsrc pond --help lists the flags`},
		{"pond :1 -port 5", `error: unknown flag -port | hint: did you mean --port?`},
		{"pond :1 --port", `error: --port needs a value | hint: write --port=N`},
		{"pond :1 --selector.mapping.CZ", `error: --selector.mapping.CZ needs a value | hint: write --selector.mapping.CZ=VALUE`},
		{"pond :1 --port --loud", `error: --port needs a value | hint: write --port=N`},
		{"pond :1 --no-loud=true", `error: --no-loud takes no value | hint: write --loud=true`},
		{"pond :1 --loud=yes", `error: --loud: "yes" is neither true nor false | hint: write true or false`},
		{"pond :1 --port=x --hdfs-roll-interval five", `error: --port: "x" is not a whole number | hint: write decimal digits alone, such as 1000 | error: --hdfs-roll-interval: "five" is not a number of seconds | hint: write 30, 30s or 5m`},
		{"pond :1 --port=0", `error: --port is 0; it must be 1 or more`},
		{"pond :1 --loud --no-ack-every-event", `error: a loud pond has to answer`},
		{"pond :1 --log-level loud", `error: --log-level: "loud" is not one of debug, info, warn, error | hint: leave it out to have warn`},
		{"pond :1 --water salt", `error: --water.grams is missing | hint: write --water.grams=N: Salt in a litre.`},
		{"pond :1 --water.fihs pike", `error: unknown flag --water.fihs | hint: did you mean --water.fish?`},
		{"pond :1 --properties /nowhere", `error: --properties: open /nowhere: no such file or directory`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			_, _, err := parse(strings.Fields(tt.args)...)
			if got := lines(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := fault.Status(err); got != fault.Usage {
				t.Errorf("status: got %d; want %d", got, fault.Usage)
			}
		})
	}
}

// file returns the name of a new file with a text.
func file(t *testing.T, text string) string {
	name := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPropertiesFile(t *testing.T) {
	name := file(t, "type = pond\nbind = f\nport = x\nfilegroups = f1\nchannel = c1=a\nselector.mapping.CZ = c1\nprot = 1\nlog-level = debug\nthreads = 3\n")
	c, shared, err := parse("pond", "--properties", name, "--port=3", "--channel=c2=b", "--name", "r1", "--selector.mapping.US=c2")
	if err != nil {
		t.Fatalf("got %q", fault.Lines(err))
	}
	p := c.Options.(*pond)
	if p.Bind != "f" || p.Port != 3 || !reflect.DeepEqual(p.Files, []string{"f1"}) {
		t.Errorf("got %+v", p)
	}
	if !reflect.DeepEqual(shared.Channel, []string{"c2=b"}) {
		t.Errorf("got channels %q; want the flag's alone", shared.Channel)
	}
	if !reflect.DeepEqual(shared.Mapping, map[string]string{"CZ": "c1", "US": "c2"}) {
		t.Errorf("got mapping %v; want the file's and the flag's", shared.Mapping)
	}
	if c.Name != "r1" || c.Level != "warn" {
		t.Errorf("got name %q and level %q; want r1 and warn: a file sets no option of the process", c.Name, c.Level)
	}
	want := "error: unknown property prot | at: " + name + ":7: prot | hint: did you mean port? | " +
		"error: unknown property log-level | at: " + name + ":8: log-level | hint: write --log-level on the command line"
	if got := lines(c.Warnings...); got != want {
		t.Errorf("warnings: got %s; want %s", got, want)
	}
	if got := lines(c.Notices...); got != "error: threads has no effect: connections need no threads here | at: "+name+":9: threads" {
		t.Errorf("notices: got %s", got)
	}
}

func TestPropertiesFileFaults(t *testing.T) {
	name := file(t, "#line 7 \"flume.conf\"\nport = x\n")
	_, _, err := parse("pond", "--properties", name, "--hdfs.rollInterval=y")
	want := `error: port: "x" is not a whole number | at: flume.conf:7: port | hint: write decimal digits alone, such as 1000 | ` +
		`error: --hdfs.rollInterval: "y" is not a number of seconds | hint: write 30, 30s or 5m | ` +
		`error: required property bind is missing | hint: write fsrc pond [HOST]:PORT, or bind = HOST: Address to listen on.`
	if got := lines(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fault.Status(err); got != fault.Config {
		t.Errorf("status: got %d; want %d", got, fault.Config)
	}
	if _, _, err := parse("pond", "--properties", file(t, "a = \\u00")); fault.Status(err) != fault.Config {
		t.Errorf("malformed: got %v with status %d; want %d", err, fault.Status(err), fault.Config)
	}
}

// static is options of an interceptor.
type static struct {
	Key   string     `name:"key" required:"" help:"Header to set."`
	Count option.Int `name:"count" default:"1" help:"How often."`
}

func TestDecodePart(t *testing.T) {
	name := file(t, "interceptors.i1.type = static\ninterceptors.i1.key = k\ninterceptors.i1.kye = l\ninterceptors.i2.key = m\n")
	c, _, err := parse("pond", ":1", "--properties", name, "--interceptors.i1.count", "5", "--interceptors.i1.cuont=6", "--interceptors.i3.count=x")
	if err != nil {
		t.Fatal(err)
	}
	var i1, i2, i3 static
	err = c.Decode("interceptors.i1.", &i1)
	if want := "error: unknown flag --interceptors.i1.cuont | hint: did you mean --interceptors.i1.count?"; lines(err) != want {
		t.Errorf("got  %s\nwant %s", lines(err), want)
	}
	if want := (static{"k", 5}); i1 != want {
		t.Errorf("got %+v; want %+v", i1, want)
	}
	if want := "error: unknown property interceptors.i1.kye | at: " + name + ":3: interceptors.i1.kye | hint: did you mean interceptors.i1.key?"; lines(c.Warnings...) != want {
		t.Errorf("warnings: got  %s\nwant %s", lines(c.Warnings...), want)
	}
	if err := c.Decode("interceptors.i2.", &i2); err != nil || i2.Key != "m" {
		t.Errorf("got %+v, %v", i2, err)
	}
	err = c.Decode("interceptors.i3.", &i3)
	if want := `error: --interceptors.i3.count: "x" is not a whole number | hint: write decimal digits alone, such as 1000 | ` +
		"error: --interceptors.i3.key is missing | hint: write --interceptors.i3.key=TEXT: Header to set."; lines(err) != want {
		t.Errorf("got  %s\nwant %s", lines(err), want)
	}
}

func TestNameIsTheTypesByDefault(t *testing.T) {
	c, _, err := parse("org.apache.flume.source.PondSource", ":1")
	if err != nil || c.Name != "pond" || c.Spec.Name != "pond" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--help", "fsrc takes events in.\n"},
		{"-h", "fsrc takes events in.\n"},
		{"help", "fsrc takes events in.\n"},
		{"--version", "fsrc "},
		{"pond --help", "fsrc pond: Take what swims in a pond.\n"},
		{"help pond", "fsrc pond: Take what swims in a pond.\n"},
		{"pond :1 --prot 4 -h", "fsrc pond: Take what swims in a pond.\n"},
	} {
		_, _, err := parse(strings.Fields(tt.args)...)
		var answer cli.Answer
		if !errors.As(err, &answer) || !strings.HasPrefix(string(answer), tt.want) {
			t.Errorf("%s: got %v; want an answer that begins %q", tt.args, err, tt.want)
		}
	}
}
