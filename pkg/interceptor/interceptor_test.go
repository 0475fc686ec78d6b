package interceptor_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/interceptor"
)

// intercept returns the headers that an interceptor makes of others.
func intercept(t *testing.T, opt interceptor.Options, keysAndValues ...string) string {
	t.Helper()
	i, err := opt.Build()
	if err != nil {
		t.Fatal(err)
	}
	before := event.Event{Headers: event.NewHeaders(keysAndValues...), Body: []byte("body")}
	after, keep := i.Intercept(before)
	if !keep || string(after.Body) != "body" {
		t.Errorf("got the body %q, kept %v; want it kept as it was", after.Body, keep)
	}
	if got, want := text(before.Headers), text(event.NewHeaders(keysAndValues...)); got != want {
		t.Errorf("the event's own headers became %s; want %s as before", got, want)
	}
	return text(after.Headers)
}

func text(h event.Headers) string {
	var fields []string
	for k, v := range h.All() {
		fields = append(fields, k+"="+v)
	}
	return strings.Join(fields, " ")
}

func TestTimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1234567 * time.Microsecond) // to a fake time that is no whole second
		now := strconv.FormatInt(time.Now().UnixMilli(), 10)
		for _, tt := range []struct {
			opt    interceptor.Timestamp
			before []string
			want   string
		}{
			{interceptor.Timestamp{HeaderName: "timestamp"}, nil, "timestamp=" + now},
			{interceptor.Timestamp{HeaderName: "timestamp"}, []string{"timestamp", "1"}, "timestamp=" + now},
			{interceptor.Timestamp{HeaderName: "t"}, []string{"timestamp", "1"}, "timestamp=1 t=" + now},
			{interceptor.Timestamp{HeaderName: "timestamp", PreserveExisting: true}, []string{"timestamp", "1"}, "timestamp=1"},
			{interceptor.Timestamp{HeaderName: "timestamp", PreserveExisting: true}, []string{"x", "1"}, "x=1 timestamp=" + now},
		} {
			if got := intercept(t, &tt.opt, tt.before...); got != tt.want {
				t.Errorf("%+v on %v: got %s; want %s", tt.opt, tt.before, got, tt.want)
			}
		}
	})
}

func TestStatic(t *testing.T) {
	for _, tt := range []struct {
		preserve bool
		before   []string
		want     string
	}{
		{true, nil, "dc=NEW_YORK"},
		{true, []string{"x", "1"}, "x=1 dc=NEW_YORK"},
		{true, []string{"dc", "PARIS"}, "dc=PARIS"},
		{true, []string{"dc", ""}, "dc="},
		{false, []string{"dc", "PARIS", "x", "1"}, "dc=NEW_YORK x=1"},
		{false, nil, "dc=NEW_YORK"},
	} {
		opt := interceptor.Static{Key: "dc", Value: "NEW_YORK"}
		if tt.preserve {
			opt.PreserveExisting = true
		}
		if got := intercept(t, &opt, tt.before...); got != tt.want {
			t.Errorf("preserveExisting %v on %v: got %s; want %s", tt.preserve, tt.before, got, tt.want)
		}
	}
}

func TestHost(t *testing.T) {
	got, ok := strings.CutPrefix(intercept(t, &interceptor.Host{HostHeader: "host", UseIP: true}), "host=")
	if !ok || net.ParseIP(got) == nil {
		t.Errorf("useIP: got %q; want an address", got)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	got, ok = strings.CutPrefix(intercept(t, &interceptor.Host{HostHeader: "from"}), "from=")
	if !ok || got == "" || net.ParseIP(got) != nil || strings.HasSuffix(got, ".") {
		t.Errorf("got the name %q; want one like %q", got, name)
	}
	if got := intercept(t, &interceptor.Host{HostHeader: "host", UseIP: true, PreserveExisting: true}, "host", "a"); got != "host=a" {
		t.Errorf("preserveExisting: got %s; want host=a", got)
	}
	if got := intercept(t, &interceptor.Host{HostHeader: "host", UseIP: true}, "host", "a"); got == "host=a" {
		t.Error("the header was left alone; want it set")
	}
}

func TestCatalog(t *testing.T) {
	if err := cli.Verify(interceptor.Catalog, nil); err != nil {
		t.Error(err)
	}
	for _, s := range interceptor.Catalog {
		for _, typ := range []string{s.Name, strings.ToUpper(s.Name), s.Class} {
			if found, err := interceptor.Catalog.Find("interceptor", typ); err != nil || found.Name != s.Name {
				t.Errorf("Find(%q): got %q, %v; want %s", typ, found.Name, err, s.Name)
			}
		}
		if want := fmt.Sprintf("The %s interceptor ", s.Name); !strings.HasPrefix(s.Manual, want) {
			t.Errorf("%s: the manual begins %.30q; want %q", s.Name, s.Manual, want)
		}
	}
}
