package all_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/source/all"
)

func TestCatalog(t *testing.T) {
	if err := cli.Verify(all.Catalog, nil); err != nil {
		t.Error(err)
	}
	for _, s := range all.Catalog {
		for _, typ := range []string{s.Name, strings.ToUpper(s.Name), s.Class} {
			if typ == "" {
				continue // Flume has no such source
			}
			if found, err := all.Catalog.Find("source", typ); err != nil || found.Name != s.Name {
				t.Errorf("Find(%q): got %q, %v; want %s", typ, found.Name, err, s.Name)
			}
		}
		if want := fmt.Sprintf("Package %s is the ", strings.ReplaceAll(s.Name, "_", "")); !strings.HasPrefix(s.Manual, want) {
			t.Errorf("%s: the manual begins %.40q; want %q", s.Name, s.Manual, want)
		}
	}
}
