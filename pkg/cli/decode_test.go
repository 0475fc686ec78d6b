package cli_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

func TestDecodeSetsDefaults(t *testing.T) {
	got := new(pond)
	if err := cli.Decode(read(t, "bind = h"), nil, got).Err(); err != nil {
		t.Fatal(err)
	}
	want := &pond{Bind: "h", Port: 7, Roll: option.Seconds(30 * time.Second), Ack: true, Type: "SequenceFile",
		Path: "%{host}/$$/%Y", TLS: tls{Kind: "JKS"}, Water: water{&fresh{Fish: "carp"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		got        func(*pond) any
		want       any
	}{
		{"reads decimal where kong reads octal", "port = 010\noffset = 010", func(p *pond) any { return []int{int(p.Port), p.Offset} }, []int{10, 10}},
		{"reads negative numbers", "offset = -5", func(p *pond) any { return p.Offset }, -5},
		{"reads units", "hdfs.rollInterval = 5m", func(p *pond) any { return p.Roll.Duration() }, 5 * time.Minute},
		{"reads aliases", "hdfs-roll-interval = 7", func(p *pond) any { return p.Roll.Duration() }, 7 * time.Second},
		{"takes the last of a name, without a look at the others", "port = x\nport = 1\nport = 2", func(p *pond) any { return p.Port }, option.Int(2)},
		{"reads booleans", "loud = TRUE\nack-every-event = True", func(p *pond) any { return []bool{p.Loud, bool(p.Ack)} }, []bool{true, true}},
		{"separates by white space", "filegroups = f1   f2\tf3", func(p *pond) any { return p.Files }, []string{"f1", "f2", "f3"}},
		{"separates by commas", "hosts = a:1, b:2,,c:3", func(p *pond) any { return p.Hosts }, []string{"a:1", "b:2", "c:3"}},
		{"reads lists of numbers", "ports = 010 20", func(p *pond) any { return p.Ports }, []option.Int{10, 20}},
		{"replaces lists", "filegroups = f1\nfilegroups = f2", func(p *pond) any { return p.Files }, []string{"f2"}},
		{"tells a name from a wildcard with its stem", "filegroups = f1\nfilegroups.f1 = /a", func(p *pond) any { return p.Paths }, map[string]string{"f1": "/a"}},
		{"leaves a wildcard's value whole", "filegroups.f1 = /a;b=c,d", func(p *pond) any { return p.Paths }, map[string]string{"f1": "/a;b=c,d"}},
		{"keeps what a wildcard's key has", "headers.f1.k = v", func(p *pond) any { return p.Headers }, map[string]string{"f1.k": "v"}},
		{"reads enums in any case", "fileType = datastream", func(p *pond) any { return p.Type }, "DataStream"},
		{"leaves substitutions alone", "path = ${env:X}/$$/${word}", func(p *pond) any { return p.Path }, "${env:X}/$$/${word}"},
		{"sets an empty value", "path =", func(p *pond) any { return p.Path }, ""},
		{"sets what is embedded", "ssl-keystore = k", func(p *pond) any { return p.TLS.Store }, "k"},
		{"passes over the type", "type = pond", func(p *pond) any { return p.Port }, option.Int(7)},
		{"sets the part that is chosen", "water.grams = 3\nwater = salt", func(p *pond) any { return p.Water.options }, &salt{Grams: 3}},
		{"sets the part by default", "water.fish = pike", func(p *pond) any { return p.Water.options }, &fresh{Fish: "pike"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := new(pond)
			found := cli.Decode(read(t, "bind = h\n"+tt.text), nil, p)
			if found.Err() != nil || found.Warnings != nil || found.Notices != nil {
				t.Fatalf("found %+v", found)
			}
			if got := tt.got(p); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v; want %#v", got, tt.want)
			}
		})
	}
}

func TestDecodeSharesPropertiesOut(t *testing.T) {
	own, shared := new(pond), new(every)
	found := cli.Decode(read(t, "bind = h\nchannels = c1 c2\nselector.mapping.CZ = c1"), nil, own, shared)
	if found.Err() != nil || found.Warnings != nil {
		t.Fatalf("found %+v", found)
	}
	if !slices.Equal(shared.Channels, []string{"c1", "c2"}) || !maps.Equal(shared.Mapping, map[string]string{"CZ": "c1"}) {
		t.Errorf("got %+v", shared)
	}
}

func TestDecodeFindsAllAtOnce(t *testing.T) {
	where := func(key string) string { return "flume.conf:9: a1.sources.r1." + key }
	for _, tt := range []struct {
		name, text string
		want       string
	}{
		{"bad values and missing ones", "port = x\nhdfs.rollInterval = five\nfileType = Datastreams",
			`error: port: "x" is not a whole number | at: flume.conf:9: a1.sources.r1.port | hint: write decimal digits alone, such as 1000 | ` +
				`error: hdfs.rollInterval: "five" is not a number of seconds | at: flume.conf:9: a1.sources.r1.hdfs.rollInterval | hint: write 30, 30s or 5m | ` +
				`error: fileType: "Datastreams" is not one of SequenceFile, DataStream | at: flume.conf:9: a1.sources.r1.fileType | hint: did you mean DataStream? | ` +
				`error: required property bind is missing | at: flume.conf:9: a1.sources.r1.bind | hint: write bind = HOST: Address to listen on.`},
		{"what Validate says, with its place", "bind = h\nport = 0\nloud = true\nack-every-event = false",
			`error: port is 0; it must be 1 or more | at: flume.conf:9: a1.sources.r1.port | error: a loud pond has to answer`},
		{"no second complaint about a bad value", "bind = h\nport = x",
			`error: port: "x" is not a whole number | at: flume.conf:9: a1.sources.r1.port | hint: write decimal digits alone, such as 1000`},
		{"what an embedded Validate says", "bind = h\nssl-keystore-type = PKCS12",
			`error: ssl-keystore is missing | at: flume.conf:9: a1.sources.r1.ssl-keystore`},
		{"what is missing in a part", "bind = h\nwater = salt",
			`error: required property water.grams is missing | at: flume.conf:9: a1.sources.r1.water.grams | hint: write water.grams = N: Salt in a litre.`},
		{"an unknown part, without its properties", "bind = h\nwater = holy\nwater.priest = p",
			`error: water: unknown water "holy" | at: flume.conf:9: a1.sources.r1.water | hint: write fresh or salt`},
		{"booleans that are none", "bind = h\nloud = yes",
			`error: loud: "yes" is neither true nor false | at: flume.conf:9: a1.sources.r1.loud | hint: write true or false`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := cli.Decode(read(t, tt.text), where, new(pond))
			if got := lines(found.Errors...); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := fault.Status(found.Err()); got != fault.Config {
				t.Errorf("status: got %d; want %d", got, fault.Config)
			}
			if found.Warnings != nil {
				t.Errorf("got warnings %v; want none", found.Warnings)
			}
		})
	}
}

func TestDecodeWarns(t *testing.T) {
	found := cli.Decode(read(t, "bind = h\nprot = 4\nhdfs.rollinterval = 3\nwater.fihs = x\nzzzzzzzzzz = 1\nthreads = 5\nfilegroup.f1 = /a"), nil, new(pond))
	if found.Err() != nil {
		t.Fatal(found.Err())
	}
	want := `error: unknown property prot | at: flume.conf:2: prot | hint: did you mean port? | ` +
		`error: unknown property hdfs.rollinterval | at: flume.conf:3: hdfs.rollinterval | hint: did you mean hdfs.rollInterval? | ` +
		`error: unknown property water.fihs | at: flume.conf:4: water.fihs | hint: did you mean water.fish? | ` +
		`error: unknown property zzzzzzzzzz | at: flume.conf:5: zzzzzzzzzz | hint: it has no effect | ` +
		`error: unknown property filegroup.f1 | at: flume.conf:7: filegroup.f1 | hint: did you mean filegroups.<group>?`
	if got := lines(found.Warnings...); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `error: threads has no effect: connections need no threads here | at: flume.conf:6: threads`
	if got := lines(found.Notices...); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Pond is pond under a name that Go exports.
type Pond = pond

// promoted embeds options anonymously, so that it has their Validate.
type promoted struct{ Pond }

func TestDecodeValidatesOnce(t *testing.T) {
	found := cli.Decode(read(t, "bind = h\nport = 0"), nil, new(promoted))
	if want := "error: port is 0; it must be 1 or more | at: flume.conf:2: port"; lines(found.Errors...) != want {
		t.Errorf("got %s; want %s", lines(found.Errors...), want)
	}
}

func TestDecodeRefusesBadTags(t *testing.T) {
	var notMap struct {
		Paths string `name:"paths.<name>"`
	}
	if found := cli.Decode(nil, nil, &notMap); found.Err() == nil {
		t.Error("got no error for a wildcard that is no map")
	}
}

func TestBelow(t *testing.T) {
	props := cli.Below(read(t, "a = 1\ninterceptors.i1.key = k\ninterceptors.i2.key = l"), "interceptors.i1.")
	if len(props) != 1 || props[0].Key != "key" || props[0].Value != "k" || props[0].Pos.Line != 2 {
		t.Errorf("got %+v", props)
	}
}
