package selector_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/selector"
)

var channels = []string{"c1", "c2", "c3", "c4"}

func build(t *testing.T, opt selector.Options) selector.Selector {
	t.Helper()
	s, err := opt.Build(channels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// text returns a route's channels: "c1 c2 (c3)", optional ones in parentheses.
func text(r selector.Route) string {
	var names []string
	for _, i := range r.Required {
		names = append(names, channels[i])
	}
	for _, i := range r.Optional {
		names = append(names, "("+channels[i]+")")
	}
	return strings.Join(names, " ")
}

func TestReplicating(t *testing.T) {
	for _, tt := range []struct {
		optional []string
		want     string
	}{
		{nil, "c1 c2 c3 c4"},
		{[]string{"c2"}, "c1 c3 c4 (c2)"},
		{[]string{"c4", "c1"}, "c2 c3 (c4) (c1)"},
		{[]string{"c2", "c2", ""}, "c1 c3 c4 (c2)"},
		{channels, "(c1) (c2) (c3) (c4)"},
	} {
		s := build(t, &selector.Replicating{Optional: tt.optional})
		route, constant := s.Constant()
		if got := text(route); !constant || got != tt.want {
			t.Errorf("optional %q: Constant() = %s, %v; want %s, true", tt.optional, got, constant, tt.want)
		}
		if got := text(s.Select(event.Event{})); got != tt.want {
			t.Errorf("optional %q: Select() = %s; want %s", tt.optional, got, tt.want)
		}
	}
}

func TestMultiplexing(t *testing.T) {
	states := map[string]string{"CZ": "c1", "US": "c2  c3 ", "a.b": "c3"}
	for _, tt := range []struct {
		name  string
		opt   selector.Multiplexing
		value string
		want  string
	}{
		{"a mapped value", selector.Multiplexing{Mapping: states, Default: []string{"c4"}}, "CZ", "c1"},
		{"several channels, double blanks", selector.Multiplexing{Mapping: states}, "US", "c2 c3"},
		{"a value with a dot", selector.Multiplexing{Mapping: states}, "a.b", "c3"},
		{"another letter case", selector.Multiplexing{Mapping: states, Default: []string{"c4"}}, "cz", "c4"},
		{"a value that is not mapped", selector.Multiplexing{Mapping: states, Default: []string{"c4", "", "c1"}}, "DE", "c4 c1"},
		{"a blank value", selector.Multiplexing{Mapping: states, Default: []string{"c4"}}, "  ", "c4"},
		{"no header", selector.Multiplexing{Mapping: states, Default: []string{"c4"}}, "-", "c4"},
		{"no default", selector.Multiplexing{Mapping: states}, "DE", ""},
		{"an optional channel", selector.Multiplexing{Mapping: states, Optional: map[string]string{"CZ": "c2 c3"}}, "CZ", "c1 (c2) (c3)"},
		{"an optional channel that is required", selector.Multiplexing{Mapping: states, Optional: map[string]string{"CZ": "c1 c3"}}, "CZ", "c1 (c3)"},
		{"an optional channel of a value that is not mapped", selector.Multiplexing{Default: []string{"c4"}, Optional: map[string]string{"DE": "c4 c1"}}, "DE", "c4 (c1)"},
		{"optional channels alone", selector.Multiplexing{Optional: map[string]string{"DE": "c1"}}, "DE", "(c1)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Header = "state"
			s := build(t, &tt.opt)
			headers := event.NewHeaders("x", "CZ", "state", tt.value)
			if tt.value == "-" {
				headers = event.NewHeaders("x", "CZ")
			}
			if got := text(s.Select(event.Event{Headers: headers})); got != tt.want {
				t.Errorf("got %q; want %q", got, tt.want)
			}
			if _, constant := s.Constant(); constant {
				t.Error("Constant() = true; the route depends on the header")
			}
		})
	}
	t.Run("a default alone is constant", func(t *testing.T) {
		route, constant := build(t, &selector.Multiplexing{Header: "h", Default: []string{"c2"}}).Constant()
		if !constant || text(route) != "c2" {
			t.Errorf("got %s, %v; want c2, true", text(route), constant)
		}
	})
}

func TestUnknownChannels(t *testing.T) {
	for property, opt := range map[string]selector.Options{
		"selector.optional":    &selector.Replicating{Optional: []string{"c9"}},
		"selector.default":     &selector.Multiplexing{Default: []string{"c9"}},
		"selector.mapping.CZ":  &selector.Multiplexing{Mapping: map[string]string{"CZ": "c1 c9"}},
		"selector.optional.CZ": &selector.Multiplexing{Optional: map[string]string{"CZ": "c9"}},
	} {
		_, err := opt.Build(channels)
		want := fmt.Sprintf(`error: %s: "c9" is not a channel of this source|hint: did you mean c1?`, property)
		if got := strings.Join(fault.Lines(err), "|"); got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	}
	_, err := (&selector.Replicating{Optional: []string{"memory"}}).Build(channels)
	if got := strings.Join(fault.Lines(err), "|"); !strings.HasSuffix(got, "|hint: its channels are c1 c2 c3 c4") {
		t.Errorf("got %s; want the channels there are", got)
	}
}

func TestCatalog(t *testing.T) {
	if err := cli.Verify(selector.Catalog, nil); err != nil {
		t.Error(err)
	}
	for _, s := range selector.Catalog {
		for _, typ := range []string{s.Name, strings.ToUpper(s.Name), s.Class} {
			if found, err := selector.Catalog.Find("channel selector", typ); err != nil || found.Name != s.Name {
				t.Errorf("Find(%q): got %q, %v; want %s", typ, found.Name, err, s.Name)
			}
		}
		if want := fmt.Sprintf("The %s selector ", s.Name); !strings.HasPrefix(s.Manual, want) {
			t.Errorf("%s: the manual begins %.30q; want %q", s.Name, s.Manual, want)
		}
	}
}
