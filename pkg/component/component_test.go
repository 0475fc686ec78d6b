package component_test

import (
	"slices"
	"testing"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
)

var catalog = component.Catalog[int]{
	{Name: "netcat", Class: "org.apache.flume.source.NetcatSource"},
	{Name: "stdin"},
}

func TestFind(t *testing.T) {
	for _, tt := range []struct{ typ, want string }{
		{"netcat", "netcat"},
		{"NetCat", "netcat"},
		{"org.apache.flume.source.NetcatSource", "netcat"},
		{"stdin", "stdin"},
	} {
		if got, err := catalog.Find("source", tt.typ); err != nil || got.Name != tt.want {
			t.Errorf("Find(%q) = %q, %v; want %q", tt.typ, got.Name, err, tt.want)
		}
	}
}

func TestFindSaysWhatWasMeant(t *testing.T) {
	for _, tt := range []struct {
		typ  string
		want []string
	}{
		{"netcta", []string{`error: unknown source type "netcta"`, "hint: did you mean netcat?"}},
		{"", []string{`error: unknown source type ""`, "hint: the source types are netcat, stdin, and TYPE of a program fsrc-TYPE on PATH"}},
		{"mongodb", []string{`error: unknown source type "mongodb"`, "hint: the source types are netcat, stdin, and TYPE of a program fsrc-TYPE on PATH"}},
	} {
		if _, err := catalog.Find("source", tt.typ); !slices.Equal(fault.Lines(err), tt.want) {
			t.Errorf("Find(%q): got %q; want %q", tt.typ, fault.Lines(err), tt.want)
		}
	}
}

func TestManual(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"is the package comment", "// A licence.\n\n// Package x is a thing.\n//\n//\tcode\npackage x\n\n// F does.\nfunc F() {}\n",
			"Package x is a thing.\n\n\tcode\n"},
		{"is the file's comment in a shared package", "// A licence.\n\n// The x thing.\n\npackage x\n", "The x thing.\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := component.Manual(tt.text); got != tt.want {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}
