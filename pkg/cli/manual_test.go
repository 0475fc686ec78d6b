package cli_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flumekit/flumekit/pkg/cli"
)

var update = flag.Bool("update", false, "write the pages to testdata")

// golden compares a page with the one in testdata.
func golden(t *testing.T, name, page string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, page, want)
	}
}

func TestPages(t *testing.T) {
	g, _ := group()
	manual, err := cli.Manual(program, catalog[0], g)
	if err != nil {
		t.Fatal(err)
	}
	markdown, err := cli.Markdown(program, catalog[0])
	if err != nil {
		t.Fatal(err)
	}
	_, _, overview := parse("--help")
	_, commands := cli.ParseCommands(control, new(grammar), []string{"--help"})
	_, agent := cli.ParseCommands(control, new(grammar), []string{"agent", "--help"})
	pages := map[string]string{
		"manual.txt":   manual,
		"overview.txt": overview.Error(),
		"commands.txt": commands.Error(),
		"command.txt":  agent.Error(),
	}
	for name, page := range pages {
		golden(t, name, page)
		for line := range strings.Lines(page) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%s: longer than 80 columns: %s", name, line)
			}
		}
	}
	golden(t, "manual.md", markdown)
}
