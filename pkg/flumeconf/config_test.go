package flumeconf_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

var update = flag.Bool("update", false, "rewrite the models and problems in testdata")

// TestGolden reads the .conf files of each archive in testdata, later ones
// overriding, and compares the agents with its section "model" and what is
// wrong with them with its section "problems". A section "agent" names the one
// that is chosen.
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("got archives %v, %v; want some", archives, err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var files [][]flumeconf.Property
			var chosen []string
			for _, file := range archive.Files {
				switch {
				case strings.HasSuffix(file.Name, ".conf"):
					props, err := flumeconf.Parse(file.Name, strings.NewReader(string(file.Data)))
					if err != nil {
						t.Fatal(fault.Lines(err))
					}
					files = append(files, props)
				case file.Name == "agent":
					chosen = strings.Fields(string(file.Data))
				}
			}
			config := flumeconf.Merge(files...)
			got := map[string]string{
				"model":    model(t, config, chosen),
				"problems": problems(config.Check(chosen...)),
			}
			for i, file := range archive.Files {
				want, ok := got[file.Name]
				if !ok {
					continue
				}
				if *update {
					archive.Files[i].Data = []byte(want)
				} else if string(file.Data) != want {
					t.Errorf("%s: got:\n%s\nwant:\n%s", file.Name, want, file.Data)
				}
				delete(got, file.Name)
			}
			if text, ok := got["problems"]; ok {
				t.Errorf("the archive has no problems; got:\n%s", text)
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// model returns the agents with one line for each component and property.
func model(t *testing.T, config *flumeconf.File, chosen []string) string {
	var b strings.Builder
	if chosen == nil {
		chosen = config.Agents()
	}
	for _, name := range chosen {
		agent, err := config.Agent(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "agent %s\n", agent.Name)
		for _, c := range slices.Concat(agent.Channels, agent.Sources, agent.Sinks, agent.SinkGroups) {
			fmt.Fprintf(&b, "%s %s: %s (%s)\n", c.Kind, c.Name, c.Type, c.Pos)
			for _, p := range c.Properties {
				fmt.Fprintf(&b, "\t%s = %s (%s)\n", p.Key, p.Value, p.Pos)
			}
			for _, joined := range slices.Concat(c.Channels, c.Sinks) {
				fmt.Fprintf(&b, "\t-> %s\n", joined)
			}
			if c.Channel != "" {
				fmt.Fprintf(&b, "\t<- %s\n", c.Channel)
			}
		}
	}
	return b.String()
}

func problems(found []flumeconf.Problem) string {
	var b strings.Builder
	for _, p := range found {
		fmt.Fprintf(&b, "%s: %v\n", p.Severity, p.Err)
		for _, detail := range fault.Lines(p.Err)[1:] {
			b.WriteString(detail + "\n")
		}
	}
	return b.String()
}

func TestLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"base.conf": "a1.sources = r1\na1.sources.r1.type = seq\n",
		"site.conf": "\na1.sources.r1.type = stress\n",
		"bad.conf":  "a = \\u\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("later files override", func(t *testing.T) {
		file, err := flumeconf.Load("base.conf", "site.conf")
		if err != nil {
			t.Fatal(err)
		}
		agent, err := file.Agent("a1")
		if err != nil {
			t.Fatal(err)
		}
		if r1 := agent.Sources[0]; r1.Type != "stress" || r1.Pos.String() != "site.conf:2" {
			t.Errorf("got type %s at %s; want stress at site.conf:2", r1.Type, r1.Pos)
		}
	})
	t.Run("every file that cannot be read is named", func(t *testing.T) {
		_, err := flumeconf.Load("nowhere.conf", "base.conf", "bad.conf", ".")
		if !errors.Is(err, fs.ErrNotExist) || fault.Status(err) != fault.Config {
			t.Errorf("got %v, status %d; want fs.ErrNotExist, status %d", err, fault.Status(err), fault.Config)
		}
		lines := strings.Join(fault.Lines(err), "\n")
		for _, want := range []string{"nowhere.conf", "hint: give the path", "at: bad.conf:1", "is a directory"} {
			if !strings.Contains(lines, want) {
				t.Errorf("got no %q in:\n%s", want, lines)
			}
		}
	})
}

func TestUnknownAgent(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"agent", "agent1.sources = r1\nb.sources = r1", []string{`error: there is no agent "agent"`,
			"at: flume.conf", "hint: did you mean agent1? The agents are: agent1, b"}},
		{"other", "agent1.sources = r1\nb.sources = r1", []string{`error: there is no agent "other"`,
			"at: flume.conf", "hint: the agents are: agent1, b"}},
		{"a1", "a1.source = r1", []string{`error: there is no agent "a1"`,
			"at: flume.conf", "hint: an agent begins with its lists, such as a1.sources = r1"}},
		{"a1", "", []string{`error: there is no agent "a1"`, "hint: an agent begins with its lists, such as a1.sources = r1"}},
	} {
		t.Run(tt.name+" of "+tt.text, func(t *testing.T) {
			props, err := flumeconf.Parse("flume.conf", strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			_, err = flumeconf.Merge(props).Agent(tt.name)
			if got := fault.Lines(err); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
			if got := fault.Status(err); got != fault.Config {
				t.Errorf("got status %d; want %d", got, fault.Config)
			}
		})
	}
}

func TestWhere(t *testing.T) {
	c := flumeconf.Component{
		Kind: flumeconf.Source, Agent: "a1", Name: "r1",
		Pos:        flumeconf.Position{File: "flume.conf", Line: 5},
		Properties: []flumeconf.Property{{Key: "port", Value: "x", Pos: flumeconf.Position{File: "flume.conf", Line: 7}}},
	}
	for property, want := range map[string]string{
		"port": "flume.conf:7: a1.sources.r1.port",
		"bind": "flume.conf:5: a1.sources.r1.bind",
	} {
		if got := c.Where(property); got != want {
			t.Errorf("Where(%q) = %q; want %q", property, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	props, err := flumeconf.Parse("flume.conf", strings.NewReader("a1.sources = r1\na1.sinks ="))
	if err != nil {
		t.Fatal(err)
	}
	found := flumeconf.Merge(props).Check()
	err = flumeconf.Errors(found)
	if got := len(fault.Lines(err)); got != 6 || len(found) != 3 || fault.Status(err) != fault.Config {
		t.Errorf("got %q of %d problems, status %d; want two errors of three problems, status %d",
			fault.Lines(err), len(found), fault.Status(err), fault.Config)
	}
	if err := flumeconf.Errors(found[:0]); err != nil {
		t.Errorf("got %v; want nil", err)
	}
}
