package escape_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/escape"
	"github.com/flumekit/flumekit/pkg/event"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	var z escape.Zone
	if err := z.UnmarshalText([]byte(name)); err != nil {
		t.Fatal(err)
	}
	return z.Location()
}

func TestAppend(t *testing.T) {
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const stamp = "1331614800123" // 2012-03-13 01:00:00.123 in New York
	seconds := func(n int) escape.Rounding { return escape.Rounding{Unit: time.Second, Value: n} }
	minutes := func(n int) escape.Rounding { return escape.Rounding{Unit: time.Minute, Value: n} }
	hours := func(n int) escape.Rounding { return escape.Rounding{Unit: time.Hour, Value: n} }
	for _, tt := range []struct {
		text, stamp string
		round       escape.Rounding
		want        string
	}{
		{"/logs/%Y-%m-%d/%{host}", stamp, escape.Rounding{}, "/logs/2012-03-13/web1"},
		{"%t %s", stamp, escape.Rounding{}, "1331614800123 1331614800"},
		{"%a %A %b %B", stamp, escape.Rounding{}, "Tue Tuesday Mar March"},
		{"%c", stamp, escape.Rounding{}, "Tue Mar 13 01:00:00 2012"},
		{"%d %e %D", "1330754400000", escape.Rounding{}, "03 3 03/03/12"},
		{"%H %k %I %l %p", stamp, escape.Rounding{}, "01 1 01 1 AM"},
		{"%H %k %I %l %p", "1331661600000", escape.Rounding{}, "14 14 02 2 PM"},
		{"%H %k %I %l %p", "1331611200000", escape.Rounding{}, "00 0 12 12 AM"},
		{"%j %m %n %M %S %y %z", stamp, escape.Rounding{}, "073 03 3 00 00 12 -0400"},
		{"100%%", stamp, escape.Rounding{}, "100%"},
		{"%%{host}", stamp, escape.Rounding{}, "%{host}"},
		{"a%qb%_c%9d", stamp, escape.Rounding{}, "abcd"},
		{"%{absent}-%{x y}-%-%", "", escape.Rounding{}, "-%{x y}-%-%"},
		{"%{dollar}", "", escape.Rounding{}, `$1\2/..`},
		{"%[localhost]-%[LOCALHOST]", "", escape.Rounding{}, hostname + "-" + hostname},
		{"plain", "", escape.Rounding{}, "plain"},
		{"%s", "+5000", escape.Rounding{}, "5"},
		{"%s", "-1500", escape.Rounding{}, "-1"},
		{"%t %H:%M:%S", "1331618067890", seconds(5), "1331618067890 01:54:25"},
		{"%H:%M:%S %s", "1331618067890", minutes(10), "01:50:00 1331617800"},
		{"%H:%M:%S", "1331618067890", minutes(7), "01:49:00"},
		{"%H:%M:%S", "1331618067890", minutes(60), "01:00:00"},
		{"%d %H:%M", "1331661600000", hours(12), "13 12:00"},
		{"%d %H:%M", "1331661600000", hours(24), "13 00:00"},
		{"%H:%M %z", "1352008500000", minutes(15), "01:45 -0400"}, // the first of the two in that night
		{"%H:%M %z", "1352012100000", minutes(15), "01:45 -0500"},
	} {
		t.Run(tt.text+" at "+tt.stamp, func(t *testing.T) {
			template, err := escape.Parse(tt.text, escape.Options{Zone: zone(t, "America/New_York"), Rounding: tt.round})
			if err != nil {
				t.Fatal(err)
			}
			h := event.NewHeaders("host", "web1", "dollar", `$1\2/..`)
			if tt.stamp != "" {
				h = h.With("timestamp", tt.stamp)
			}
			for range 2 { // the second time from memory
				got, err := template.Append(nil, h, time.Time{})
				if err != nil || string(got) != tt.want {
					t.Errorf("got %q, %v; want %q", got, err, tt.want)
				}
			}
		})
	}
}

func TestEachSecondIsItsOwn(t *testing.T) {
	template, err := escape.Parse("%S%{h}", escape.Options{Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, stamp := range []string{"1000", "1999", "2000", "1000", "-1", "59000"} {
		text, err := template.Append(nil, event.NewHeaders("timestamp", stamp, "h", "x"), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		got += string(text) + " "
	}
	if want := "01x 01x 02x 01x 59x 59x "; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestClock(t *testing.T) {
	template, err := escape.Parse("%H:%M %t", escape.Options{Zone: time.UTC, Clock: true, Rounding: escape.Rounding{Unit: time.Minute, Value: 10}})
	if err != nil {
		t.Fatal(err)
	}
	// The race of FLUME's date test: all of one text are of one moment.
	now := time.Date(2012, 3, 13, 2, 59, 59, 999e6, time.UTC)
	got, err := template.Append(nil, event.NewHeaders("timestamp", "nonsense"), now)
	if want := "02:50 1331607599999"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestTimesThatAreNotKnown(t *testing.T) {
	for _, tt := range []struct {
		text, stamp string
		round       escape.Rounding
	}{
		{"%Y", "", escape.Rounding{}},
		{"%%", "", escape.Rounding{}},
		{"%q", "", escape.Rounding{}},
		{"%t", "", escape.Rounding{}},
		{"%Y", " 5", escape.Rounding{}},
		{"%Y", "5.0", escape.Rounding{}},
		{"%Y", "tomorrow", escape.Rounding{}},
		{"%Y", "0", escape.Rounding{Unit: time.Second, Value: 1}},
	} {
		template, err := escape.Parse(tt.text, escape.Options{Rounding: tt.round})
		if err != nil {
			t.Fatal(err)
		}
		var h event.Headers
		if tt.stamp != "" {
			h = event.NewHeaders("timestamp", tt.stamp)
		}
		if got, err := template.Append(nil, h, time.Now()); !errors.Is(err, escape.ErrNoTime) {
			t.Errorf("%s at %q: got %q, %v; want ErrNoTime", tt.text, tt.stamp, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	if _, err := escape.Parse("/x/%[port]", escape.Options{}); err == nil || !strings.Contains(err.Error(), "%[port]") {
		t.Errorf("got %v; want an error that names the escape", err)
	}
}

func TestUnknown(t *testing.T) {
	const known = "%a%A%b%B%c%d%D%e%H%I%j%k%l%m%M%n%p%s%S%t%y%Y%z%%"
	template, err := escape.Parse("/x/%Q/"+known+"/%{Q}/%9", escape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := template.Unknown(), []string{"%Q", "%9"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestGlobAndStatic(t *testing.T) {
	for text, want := range map[string]string{
		"/a/b":         "/a/b",
		"/a/%Y-%m/x":   "/a/*-*/x",
		"/a/%Y%m/%{h}": "/a/*/**",
		"/%{h}%{i}/%n": "/**/*",
		"/a/%D":        "/a/*/*/*",
		"/a[1]*/%t":    `/a\[1]\*/*`,
	} {
		template, err := escape.Parse(text, escape.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := template.Glob(); got != want {
			t.Errorf("%s: got %s; want %s", text, got, want)
		}
		if _, static := template.Static(); static != !strings.Contains(text, "%") {
			t.Errorf("%s: static is %v", text, static)
		}
	}
}

func TestZones(t *testing.T) {
	at := time.Date(2020, 7, 1, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"Europe/Berlin": "14:00", "PST": "05:00", "GMT": "12:00", "GMT+8": "20:00", "GMT-03:30": "08:30", "UTC+0530": "17:30",
	} {
		if got := at.In(zone(t, name)).Format("15:04"); got != want {
			t.Errorf("%s: got %s; want %s", name, got, want)
		}
	}
	for _, name := range []string{"Nope/Zone", "GMT+25", "", "Local"} {
		if err := new(escape.Zone).UnmarshalText([]byte(name)); err == nil {
			t.Errorf("%q: got no error", name)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	template, err := escape.Parse("/logs/%Y-%m-%d/%H%M/%{host}", escape.Options{Rounding: escape.Rounding{Unit: time.Minute, Value: 10}})
	if err != nil {
		b.Fatal(err)
	}
	h := event.NewHeaders("timestamp", "1331614800123", "host", "web1")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = template.Append(dst[:0], h, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
