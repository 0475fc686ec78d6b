package all_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/source/all"
)

func TestCatalog(t *testing.T) {
	for _, s := range all.Catalog {
		t.Run(s.Name, func(t *testing.T) {
			for _, typ := range []string{s.Name, strings.ToUpper(s.Name), s.Class} {
				if typ == "" {
					continue // Flume has no such source
				}
				if found, err := all.Catalog.Find("source", typ); err != nil || found.Name != s.Name {
					t.Errorf("Find(%q): got %q, %v", typ, found.Name, err)
				}
			}
			if want := fmt.Sprintf("Package %s is the ", s.Name); !strings.HasPrefix(s.Manual, want) {
				t.Errorf("the manual begins %.40q; want %q", s.Manual, want)
			}
			if !strings.HasSuffix(s.Summary, ".") {
				t.Errorf("the summary %q is no sentence", s.Summary)
			}
			options := reflect.TypeOf(s.New()).Elem()
			for i := range options.NumField() {
				field := options.Field(i)
				if field.Tag.Get("kong") == "-" {
					continue
				}
				if field.Tag.Get("name") == "" || !strings.HasSuffix(field.Tag.Get("help"), ".") {
					t.Errorf("%s lacks a name, or a help text with a full stop", field.Name)
				}
				_, required := field.Tag.Lookup("required")
				if _, given := field.Tag.Lookup("default"); given && required {
					t.Errorf("%s is required and has a default", field.Name)
				}
			}
		})
	}
}
