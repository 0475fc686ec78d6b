package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// parseAgent returns agent a1 of a configuration.
func parseAgent(t *testing.T, conf string) *flumeconf.Agent {
	t.Helper()
	props, err := flumeconf.Parse("flume.conf", strings.NewReader(conf))
	if err != nil {
		t.Fatal(err)
	}
	a, err := flumeconf.Merge(props).Agent("a1")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fan is one source with two channels, one of them with an odd name.
const fan = `
a1.channels = c1 c/2
a1.sources = r1
a1.sinks = k1 k2
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.channels.c/2.type = file
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.channel = c/2
a1.sinks.k2.sink.directory = /var/a b/it's
a1.sources.r1.type = exec
a1.sources.r1.command = tail -F "$HOME/x"
a1.sources.r1.channels = c1 c/2
`

func TestNewPlan(t *testing.T) {
	plan := NewPlan(parseAgent(t, fan), "/run/x", traits)
	var got []string
	for _, p := range plan.Processes {
		got = append(got, p.Program+" "+strings.Join(p.args("/dev/fd/3"), " "))
		for _, property := range p.Properties {
			if property.Key == "channel" || property.Key == "channels" {
				t.Errorf("%s has the property %s", p.Component.Name, property.Key)
			}
		}
	}
	want := []string{
		"fchan memory --name c1 --properties /dev/fd/3 --listen unix:/run/x/c1.sock --log-format json --log-level info --lifeline",
		"fchan file --name c/2 --properties /dev/fd/3 --listen unix:/run/x/_1.sock --log-format json --log-level info --lifeline",
		"fsink logger --name k1 --properties /dev/fd/3 --channel unix:/run/x/c1.sock --log-format json --log-level info --lifeline",
		"fsink file_roll --name k2 --properties /dev/fd/3 --channel unix:/run/x/_1.sock --log-format json --log-level info --lifeline",
		"fsrc exec --name r1 --properties /dev/fd/3 --channel c1=unix:/run/x/c1.sock --channel c/2=unix:/run/x/_1.sock --log-format json --log-level info --lifeline",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !plan.Processes[0].Forgets || plan.Processes[1].Forgets {
		t.Error("which channels forget is wrong")
	}
}

// grouped is two sinks in a group, and one that is in none.
const grouped = `
a1.channels = c1
a1.sources = r1
a1.sinks = k1 k2 k3
a1.sinkgroups = g1
a1.channels.c1.type = memory
a1.sources.r1.type = seq
a1.sources.r1.channels = c1
a1.sinks.k1.type = avro
a1.sinks.k1.hostname = one
a1.sinks.k1.channel = c1
a1.sinks.k2.type = logger
a1.sinks.k2.channel = c1
a1.sinks.k3.type = null
a1.sinks.k3.channel = c1
a1.sinkgroups.g1.sinks = k2 k1 k2
a1.sinkgroups.g1.processor.type = failover
a1.sinkgroups.g1.processor.priority.k1 = 1
`

func TestNewPlanOfASinkGroup(t *testing.T) {
	plan := NewPlan(parseAgent(t, grouped), "/run/x", traits)
	var got []string
	for _, p := range plan.Processes {
		if p.Program == "fsink" {
			got = append(got, strings.Join(p.args("/dev/fd/3")[:7], " "))
		}
	}
	want := []string{
		"null --name k3 --properties /dev/fd/3 --channel unix:/run/x/c1.sock",
		"failover --name g1 --properties /dev/fd/3 --channel unix:/run/x/c1.sock",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	group := plan.Processes[2]
	got = nil
	for _, p := range group.Properties {
		got = append(got, group.Component.Where(p.Key)+" = "+p.Value)
	}
	want = []string{
		"flume.conf:16: a1.sinkgroups.g1.sinks = k2 k1",
		"flume.conf:18: a1.sinkgroups.g1.processor.priority.k1 = 1",
		"flume.conf:9: a1.sinks.k1.type = avro",
		"flume.conf:10: a1.sinks.k1.hostname = one",
		"flume.conf:12: a1.sinks.k2.type = logger",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := group.Component.Where("type"); got != "flume.conf:17: a1.sinkgroups.g1.processor.type" {
		t.Errorf("the type is at %s", got)
	}
}

func TestNewRunDir(t *testing.T) {
	t.Run("says so when the path is too long for sockets", func(t *testing.T) {
		long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
		if err := os.Mkdir(long, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("XDG_RUNTIME_DIR", long)
		if dir, err := NewRunDir(); err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("got %q, %v; want an error", dir, err)
		}
		if left, _ := filepath.Glob(long + "/*"); left != nil {
			t.Errorf("%v is left", left)
		}
	})
	t.Run("falls back from a directory that is not there", func(t *testing.T) {
		t.Setenv("XDG_RUNTIME_DIR", "/nowhere/at/all")
		t.Setenv("TMPDIR", "/tmp")
		dir, err := NewRunDir()
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir)
		if !strings.HasPrefix(dir, "/tmp/flumekit-") {
			t.Errorf("got %s; want a directory in /tmp", dir)
		}
	})
}

func TestQuote(t *testing.T) {
	for _, word := range []string{"plain", "", "a b", "it's", "$HOME", "`x`", `"`, "--key=a b", "--key=", "~", "*", "a\nb", "=", "--k=a=b c", "é"} {
		out, err := exec.Command("sh", "-c", "printf '%s|' "+quote(word)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(out), word+"|"; got != want {
			t.Errorf("%s is read as %q; want %q", quote(word), got, want)
		}
	}
}

func TestWriteShell(t *testing.T) {
	tests := []struct{ name, conf, want string }{
		{"a chain is a pipeline", chain, `#!/bin/sh
# agent a1: 1 source, 1 channel, 1 sink
# source r1, flume.conf:10
# channel c1, flume.conf:5
# sink k1, flume.conf:7
fsrc netcat --name=r1 --journal=JOURNAL |
fchan memory --name=c1 --journal=JOURNAL |
fsink logger --name=k1 --journal=JOURNAL
`},
		{"the rest is joined by sockets", fan, `#!/bin/sh
# agent a1: 1 source, 2 channels, 2 sinks

dir=$(mktemp -d)
sources= memory= sinks= durable=
end() { if [ $# -gt 0 ]; then kill "$@" 2>/dev/null; wait "$@"; fi; }
trap 'end $sources; end $memory; end $sinks; end $durable; rm -r "$dir"' EXIT
trap 'exit 0' HUP INT TERM

# channel c1, flume.conf:5
fchan memory --name=c1 --capacity=1000 --listen "unix:$dir/c1.sock" &
memory="$memory $!"
until [ -S "$dir/c1.sock" ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done

# channel c/2, flume.conf:7
fchan file --name=c/2 --listen "unix:$dir/_1.sock" &
durable="$durable $!"
until [ -S "$dir/_1.sock" ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done

# sink k1, flume.conf:8
fsink logger --name=k1 --channel "unix:$dir/c1.sock" &
sinks="$sinks $!"

# sink k2, flume.conf:10
fsink file_roll --name=k2 --sink.directory='/var/a b/it'\''s' --channel "unix:$dir/_1.sock" &
sinks="$sinks $!"

# source r1, flume.conf:13
fsrc exec --name=r1 --command='tail -F "$HOME/x"' --channel c1="unix:$dir/c1.sock" --channel c/2="unix:$dir/_1.sock" &
sources="$sources $!"

wait
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			if err := WriteShell(&got, parseAgent(t, tt.conf), traits); err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), tt.want)
			}
			if out, err := exec.Command("sh", "-n", "-c", got.String()).CombinedOutput(); err != nil {
				t.Errorf("it is no shell script: %s", out)
			}
		})
	}
}
