package main

import (
	"bytes"
	"strings"
	"testing"
)

// unfilled is what the templates of scripts/new say where words are missing.
const unfilled = "to be written"

func TestFresh(t *testing.T) {
	want, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	got, err := written("../..")
	if err != nil {
		t.Fatal(err)
	}
	for path, page := range want {
		switch {
		case got[path] == nil:
			t.Errorf("there is no %s; run scripts/docs", path)
		case !bytes.Equal(got[path], page):
			t.Errorf("%s is stale; run scripts/docs", path)
		}
		for line := range strings.Lines(string(page)) {
			if strings.Contains(line, unfilled) {
				t.Errorf("%s still says what the template said: %s", path, line)
			}
		}
		delete(got, path)
	}
	for path := range got {
		t.Errorf("%s describes nothing that there is; run scripts/docs", path)
	}
}

func TestJoin(t *testing.T) {
	got := join("# All", []string{"# a\n\n    # code\n", "# b\n## c\n"})
	if want := "# All\n\n## a\n\n    # code\n\n## b\n### c\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}
