package syslog_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source/syslog"
)

// now is when the vectors were taken from Flume.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newYork(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func keep(t testing.TB, text string) syslog.KeepFields {
	t.Helper()
	var k syslog.KeepFields
	if err := k.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return k
}

func charset(t testing.TB, name string) option.Charset {
	t.Helper()
	var c option.Charset
	if err := c.UnmarshalText([]byte(name)); err != nil {
		t.Fatal(err)
	}
	return c
}

// show writes an event as "{Facility=1 Severity=5} body".
func show(e event.Event) string {
	var headers []string
	for key, value := range e.Headers.All() {
		headers = append(headers, key+"="+value)
	}
	return fmt.Sprintf("{%s} %s", strings.Join(headers, " "), e.Body)
}

func parse(p *syslog.Parser, msg string, cut bool) string {
	var b event.Batch
	p.At(now)
	p.Append(&b, []byte(msg), cut)
	for e := range b.All() {
		return show(e)
	}
	return "no event"
}

// TestSingle has Flume's vectors of syslogtcp and syslogudp, and those of its
// tests of SyslogUtils.
func TestSingle(t *testing.T) {
	const user, kernel = "Facility=1 Severity=5", "Facility=0 Severity=0 flume.syslog.status=Invalid"
	for _, tt := range []struct{ msg, want string }{
		{"<13>1 2024-06-01T12:00:00Z host1 x", "{" + user + " priority=13 version=1 timestamp=1717243200000 host=host1} x"},
		{"<13>1 2024-06-01T12:00:00.123Z host1 x", "{" + user + " priority=13 version=1 timestamp=1717243200123 host=host1} x"},
		{"<13>1 2024-06-01T12:00:00.5Z host1 x", "{" + user + " priority=13 version=1 timestamp=1717243200500 host=host1} x"},
		{"<13>1 2024-06-01T12:00:00.123456789-05:00 h x", "{" + user + " priority=13 version=1 timestamp=1717261200123 host=h} x"},
		{"<13>1 2024-06-01T12:00:00+02:00 host1 x", "{" + user + " priority=13 version=1 timestamp=1717236000000 host=host1} x"},
		{"<13>1 2024-06-01T12:00:00 host1 x", "{" + user + " priority=13 version=1 timestamp=1717257600000 host=host1} x"},
		{"<13>1 2024-06-01T12:00:00.999 host1 x", "{" + user + " priority=13 version=1 timestamp=1717257600999 host=host1} x"},
		{"<13>1 - - app", "{" + user + " priority=13 version=1} app"},
		{"<13>- host1 app", "{" + user + " priority=13 host=host1} app"},
		{"<13>2024-06-01T12:00:00Z host1 x", "{" + user + " priority=13 timestamp=1717243200000 host=host1} x"},
		{"<13>12024-06-01T12:00:00Z host1 x", "{" + user + " priority=13 version=1 timestamp=1717243200000 host=host1} x"},
		{"<13>2 2024-06-01T12:00:00Z host1 x", "{" + user + " priority=13 version=2 timestamp=1717243200000 host=host1} x"},
		{"<13>1 2024-06-01T12:00:00Z fe80::1 x", "{" + user + " priority=13 version=1 timestamp=1717243200000 host=fe80::1} x"},
		{"<13>1 2024-06-01T12:00:00Z host1 x\r", "{" + user + " priority=13 version=1 timestamp=1717243200000 host=host1} x\r"},
		{"<13>1 2024-06-01T12:00:00Z host1 caf\xe9", "{" + user + " priority=13 version=1 timestamp=1717243200000 host=host1} caf\xe9"},
		{"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [a@1 b=\"c\"] An event",
			"{Facility=20 Severity=5 priority=165 version=1 timestamp=1065910455003 host=mymachine.example.com} evntslog - ID47 [a@1 b=\"c\"] An event"},
		{"<13>1 2016-12-31T23:59:60Z h leap", "{" + user + " priority=13 version=1 timestamp=1483228800000 host=h} leap"},
		{"<13>1 2024-06-01t12:00:00z host1 x", "{" + user + " priority=13 version=1 timestamp=1717243200000 host=host1} x"},
		{"<13>1 2024-06-01T12:00:00+25:99 h x", "{" + user + " priority=13 version=1 host=h} x"},
		{"<13>1 2024-06-01T12:00:00X h x", "{" + user + "} <13>1 2024-06-01T12:00:00X h x"},
		{"<13>1 2024-13-45T25:61:00Z h x", "{" + user + " priority=13 version=1 host=h} x"},
		{"<13>1 2023-02-29T00:00:00Z h x", "{" + user + " priority=13 version=1 host=h} x"},

		{"<13>Jun  1 12:00:00 host1 su: x", "{" + user + " priority=13 timestamp=1780329600000 host=host1} su: x"},
		{"<13>Jun 1 12:00:00 host1 su: x", "{" + user + " priority=13 timestamp=1780329600000 host=host1} su: x"},
		{"<13>JUN  1 12:00:00 host1 su: x", "{" + user + " priority=13 timestamp=1780329600000 host=host1} su: x"},
		{"<13>Dec 30 12:00:00 host1 x", "{" + user + " priority=13 timestamp=1767114000000 host=host1} x"}, // more than a month ahead: last year
		{"<13>Dec 20 12:00:00 host1 x", "{" + user + " priority=13 timestamp=1797786000000 host=host1} x"}, // less: this year
		{"<13>Feb 29 12:00:00 host1 x", "{" + user + " priority=13 timestamp=1772384400000 host=host1} x"}, // 2026 has none: the first of March
		{"<13>Foo  1 12:00:00 host1 x", "{" + user + " priority=13 host=host1} x"},
		{"<13>Oct 32 12:00:00 host1 x", "{" + user + " priority=13 host=host1} x"},
		{"<13>1 Oct 11 12:00:00 host1 x", "{" + user + " priority=13 version=1 timestamp=1791734400000 host=host1} x"},
		{"<13>Oct 11 12:00:00 fe80::1 x", "{" + user + " priority=13 timestamp=1791734400000 host=fe80::1} x"},
		{"<13>Oct 11 12:00:00 host1 ", "{" + user + " priority=13 timestamp=1791734400000 host=host1} <13>Oct 11 12:00:00 host1 "},
		{"<10>Oct 11 12:00:00 h - hyphen_null_breaks_5424_pattern [07/Jun/2012:14:46:44 -0600]",
			"{Facility=1 Severity=2 priority=10 timestamp=1791734400000 host=h} - hyphen_null_breaks_5424_pattern [07/Jun/2012:14:46:44 -0600]"},
		{"<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %%",
			"{Facility=20 Severity=5 priority=165 timestamp=1787564040000 host=CST} 1987 mymachine myproc[10]: %%"},
		{"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "{" + user + " priority=13 timestamp=1770330738000 host=10.0.0.99} Use the BFG!"},

		{"<13>Oct 11 12:00:00 su: no host", "{" + user + "} <13>Oct 11 12:00:00 su: no host"},
		{"<13>Oct 11 12:00:00 bad: no host", "{" + user + "} <13>Oct 11 12:00:00 bad: no host"},
		{"<13>Oct 11 12:00:00 host1", "{" + user + "} <13>Oct 11 12:00:00 host1"},
		{"<13>1 2024-06-01T12:00:00.Z h x", "{" + user + "} <13>1 2024-06-01T12:00:00.Z h x"},
		{"<13>1 2024-06-01T12:00:00+0200 h x", "{" + user + "} <13>1 2024-06-01T12:00:00+0200 h x"},
		{"<13>Oct", "{" + user + "} <13>Oct"},
		{"<13>", "{" + user + "} <13>"},
		{"<10>Good good good data", "{Facility=1 Severity=2} <10>Good good good data"},
		{"<999>Jun  1 12:00:00 h x", "{Facility=124 Severity=7 priority=999 timestamp=1780329600000 host=h} x"},

		{"noprio", "{" + kernel + "} noprio"},
		{"<>x", "{" + kernel + "} <>x"},
		{"<abc>x", "{" + kernel + "} <abc>x"},
		{"<1234>x", "{" + kernel + "} <1234>x"},
		{"<10F> bad bad data", "{" + kernel + "} <10F> bad bad data"},
		{"hi guys! <10> bad bad data", "{" + kernel + "} hi guys! <10> bad bad data"},
		{"<13", "{" + kernel + "} <13"},
		{"<", "{" + kernel + "} <"},
		{"\r", "{" + kernel + "} \r"},
	} {
		t.Run(tt.msg, func(t *testing.T) {
			p := &syslog.Parser{Zone: newYork(t)}
			if got := parse(p, tt.msg, false); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			// Flume: a message's priority and version get into the next one.
			parse(p, "<34>1 2024-06-01T12:00:00Z other before", false)
			parse(p, "<13>9 2024-06-01T12:00:00Z other before", false)
			if got := parse(p, tt.msg, false); got != tt.want {
				t.Errorf("after others: got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestMultiport has Flume's vectors of multiport_syslogtcp.
func TestMultiport(t *testing.T) {
	for _, tt := range []struct{ msg, want string }{
		{"<13>1 2024-06-01T12:00:00.5Z h x", "{Facility=1 Severity=5 Priority=13 Version=1 timestamp=1717243200500 host=h} x"},
		{"<13>1 2024-06-01T12:00:00.123456789-05:00 h x", "{Facility=1 Severity=5 Priority=13 Version=1 timestamp=1717261200123 host=h} x"},
		{"<13>2012-08-16T14:34:03-08:00 127.0.0.1 test shnap!", "{Facility=1 Severity=5 Priority=13 timestamp=1345156443000 host=127.0.0.1} test shnap!"},
		{"<13>1 - - body", "{Facility=1 Severity=5 Priority=13 Version=1 timestamp=1795348800000} body"},
		{"<13>Nov 20 12:00:00 host1 x", "{Facility=1 Severity=5 Priority=13 timestamp=1795194000000 host=host1} x"},
		{"<13>Jun  1 12:00:00 host1 x", "{Facility=1 Severity=5 Priority=13 timestamp=1780329600000 host=host1} x"},
		{"<13>Foo  1 12:00:00 host1 x", "{Facility=1 Severity=5 Priority=13 host=host1} x"},
		{"<13>Oct 11 12:00:00 su: x", "{Facility=1 Severity=5 Priority=13 timestamp=1791734400000 host=su:} x"},
		{"<13>1 2024-06-01T12:00:00Z host1 nul\x00after", "{Facility=1 Severity=5 Priority=13 Version=1 timestamp=1717243200000 host=host1} nul\x00after"},
		{"<13>1 2024-06-01T12:00:00Z host1 inv\xff", "{flume.syslog.status=Invalid} <13>1 2024-06-01T12:00:00Z host1 inv\xff"},
		{"<13>1 2024-06-01T12:00:00+0200 h x", "{Facility=1 Severity=5 flume.syslog.status=Invalid} <13>1 2024-06-01T12:00:00+0200 h x"},
		{"<13>hello", "{Facility=1 Severity=5 flume.syslog.status=Invalid} <13>hello"},
		{"noprio", "{flume.syslog.status=Invalid} noprio"},
	} {
		t.Run(tt.msg, func(t *testing.T) {
			p := &syslog.Parser{Dialect: syslog.Multiport, Zone: newYork(t)}
			if got := parse(p, tt.msg, false); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestKeepFields(t *testing.T) {
	const (
		m5424 = "<13>1 2024-06-01T12:00:00Z host1 body"
		m3164 = "<10>Oct 11 12:00:00 host2 body"
		none  = "<13>1 - - body3"
	)
	for _, tt := range []struct{ keep, msg, want string }{
		{"none", m5424, "body"},
		{"false", m5424, "body"},
		{"all", m5424, m5424},
		{"TRUE", m5424, m5424},
		{"version,priority", m5424, "<13>1 body"},
		{"hostname", m5424, "host1 body"},
		{"timestamp", m5424, "2024-06-01T12:00:00Z body"},
		{"timestamp hostname", m3164, "Oct 11 12:00:00 host2 body"},
		{"priority version timestamp hostname", m3164, "<10>Oct 11 12:00:00 host2 body"},
		{"priority version timestamp hostname", none, "<13>1 - - body3"},
		{"hostname", "no message", "no message"},
	} {
		t.Run(tt.keep+" of "+tt.msg, func(t *testing.T) {
			for _, dialect := range []syslog.Dialect{syslog.Single, syslog.Multiport} {
				p := &syslog.Parser{Dialect: dialect, Keep: keep(t, tt.keep), Zone: time.UTC}
				for range 2 { // the second time the beginning is known
					_, got, _ := strings.Cut(parse(p, tt.msg, false), "} ")
					if got != tt.want {
						t.Errorf("got %q; want %q", got, tt.want)
					}
				}
			}
		})
	}
}

func TestKeepFieldsText(t *testing.T) {
	for text, want := range map[string]string{
		"": "none", "None": "none", "all": "all", " Version, PRIORITY ": "priority version",
		"hostname|timestamp": "timestamp hostname",
	} {
		if got := keep(t, text).String(); got != want {
			t.Errorf("%q: got %q; want %q", text, got, want)
		}
	}
	for _, text := range []string{"host", "all priority", "none hostname"} {
		var k syslog.KeepFields
		if err := k.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %v; want an error", text, k)
		}
	}
}

func TestCut(t *testing.T) {
	p := &syslog.Parser{}
	for msg, want := range map[string]string{
		"<13>aaa": "{Facility=1 Severity=5 flume.syslog.status=Incomplete} <13>aaa",
		"aaa":     "{Facility=0 Severity=0 flume.syslog.status=Invalid} aaa",
		"<13>1 2024-06-01T12:00:00Z h x": "{Facility=1 Severity=5 priority=13 version=1 timestamp=1717243200000 host=h " +
			"flume.syslog.status=Incomplete} x",
	} {
		if got := parse(p, msg, true); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	if got := parse(p, "<13>1 2024-06-01T12:00:00Z h x", false); strings.Contains(got, "status") {
		t.Errorf("a whole message after one that was cut: got %q", got)
	}
}

func TestExtraHeadersReplaceTheMessages(t *testing.T) {
	p := &syslog.Parser{Extra: []string{"host", "peer", "ip", "10.0.0.1"}}
	want := "{Facility=1 Severity=5 priority=13 version=1 timestamp=1717243200000 host=peer ip=10.0.0.1} x"
	for range 2 {
		if got := parse(p, "<13>1 2024-06-01T12:00:00Z host1 x", false); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	if got, want := parse(p, "bad", false), "{Facility=0 Severity=0 flume.syslog.status=Invalid host=peer ip=10.0.0.1} bad"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestCharset(t *testing.T) {
	p := &syslog.Parser{Dialect: syslog.Multiport, Charset: charset(t, "ISO-8859-1")}
	for msg, want := range map[string]string{
		"<13>1 2024-06-01T12:00:00Z caf\xe9 th\xe9": "{Facility=1 Severity=5 Priority=13 Version=1 timestamp=1717243200000 host=café} th\xe9",
		"no message \xe9": "{flume.syslog.status=Invalid} no message \xe9",
	} {
		if got := parse(p, msg, false); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	p = &syslog.Parser{Dialect: syslog.Multiport, Charset: charset(t, "Shift_JIS"), Keep: syslog.KeepHostname}
	if got, want := parse(p, "<13>1 2024-06-01T12:00:00Z h \x83\x65\x83\x58\x83\x67", false),
		"{Facility=1 Severity=5 Priority=13 Version=1 timestamp=1717243200000 host=h} h \x83\x65\x83\x58\x83\x67"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if got, want := parse(p, "<13>\x83", false), "{flume.syslog.status=Invalid} <13>\x83"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestYear follows Flume's test of the years that times without one get: from
// ten months ago to a month ahead, whatever the month.
func TestYear(t *testing.T) {
	zone := newYork(t)
	for month := range 14 {
		present := time.Date(2026, time.Month(1+month), 15, 3, 0, 0, 0, zone)
		for ahead := -10; ahead <= 1; ahead++ {
			sent := time.Date(2026, time.Month(1+month+ahead), 14, 3, 0, 0, 0, zone)
			p := &syslog.Parser{Zone: zone}
			p.At(present)
			var b event.Batch
			p.Append(&b, []byte("<10>"+sent.Format(time.Stamp)+" h x"), false)
			for e := range b.All() {
				if got, want := header(e, "timestamp"), fmt.Sprint(sent.UnixMilli()); got != want {
					t.Errorf("at %v, sent %v: got %s; want %s", present, sent, got, want)
				}
			}
		}
	}
}

func header(e event.Event, key string) string {
	value, _ := e.Headers.Get(key)
	return value
}

// TestYearChangesWhileConnected has what is known of a message's beginning
// forgotten in time.
func TestYearChangesWhileConnected(t *testing.T) {
	p := &syslog.Parser{Zone: time.UTC}
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{now, "1767096000000"}, // December is more than a month ahead
		{now.AddDate(0, 0, 14), "1798632000000"},
	} {
		p.At(tt.at)
		var b event.Batch
		p.Append(&b, []byte("<13>Dec 30 12:00:00 h x"), false)
		for e := range b.All() {
			if got := header(e, "timestamp"); got != tt.want {
				t.Errorf("at %v: got %s; want %s", tt.at, got, tt.want)
			}
		}
	}
}

// TestPresent has the time of messages that tell none follow the clock, however
// soon one comes after the other.
func TestPresent(t *testing.T) {
	p := &syslog.Parser{Dialect: syslog.Multiport}
	for i := range 3 {
		at := now.Add(time.Duration(i) * time.Second)
		p.At(at)
		var b event.Batch
		p.Append(&b, []byte("<13>1 - h x"), false)
		for e := range b.All() {
			if got, want := header(e, "timestamp"), fmt.Sprint(at.UnixMilli()); got != want {
				t.Errorf("after %d s: got %s; want %s", i, got, want)
			}
		}
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	for name, msgs := range messages() {
		t.Run(name, func(t *testing.T) {
			p := &syslog.Parser{Zone: time.UTC}
			p.At(now)
			var b event.Batch
			if allocs := testing.AllocsPerRun(10, func() {
				b.Reset()
				for _, msg := range msgs {
					p.Append(&b, msg, false)
				}
			}); allocs > 0 {
				t.Errorf("%v allocations for %d messages; want none", allocs, len(msgs))
			}
		})
	}
}

// messages are 1000 messages of 200 bytes of each of some kinds.
func messages() map[string][][]byte {
	kinds := map[string]func(i int) string{
		"RFC3164":          func(i int) string { return "<13>Oct 11 22:14:15 mymachine su: " },
		"RFC3164 changing": func(i int) string { return fmt.Sprintf("<%d>Oct 11 22:%02d:%02d mymachine su: ", i%192, i/60%60, i%60) },
		"RFC5424 changing": func(i int) string {
			return fmt.Sprintf("<165>1 2003-10-11T22:14:15.%03dZ mymachine evntslog - ID47 - ", i)
		},
		"invalid": func(i int) string { return "no priority " },
	}
	all := make(map[string][][]byte)
	for name, begin := range kinds {
		for i := range 1000 {
			msg := begin(i)
			all[name] = append(all[name], []byte(msg+strings.Repeat("x", 200-len(msg))))
		}
	}
	return all
}

func BenchmarkParser(b *testing.B) {
	for name, msgs := range messages() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			p := &syslog.Parser{}
			var batch event.Batch
			b.SetBytes(200)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i == len(msgs) {
					batch.Reset()
					p.At(time.Now())
					i = 0
				}
				p.Append(&batch, msgs[i], false)
				i++
			}
		})
	}
}

// FuzzParser holds that no message is lost or makes the parser panic, that what
// is known of other messages does not matter, and that all is the message.
func FuzzParser(f *testing.F) {
	for _, msgs := range messages() {
		f.Add(msgs[0])
	}
	for _, seed := range []string{"<13>1 - - x", "<13>- - ", "<0>Jan 1 00:00:00 h x", "<999>1 2024-06-01T12:00:00.123456789-05:00 h x", "<", "<1>"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, dialect := range []syslog.Dialect{syslog.Single, syslog.Multiport} {
			p := &syslog.Parser{Dialect: dialect, Zone: time.UTC}
			first := parse(p, string(msg), false)
			if again := parse(p, string(msg), false); again != first {
				t.Errorf("got %q and then %q", first, again)
			}
			p = &syslog.Parser{Dialect: dialect, Zone: time.UTC, Keep: syslog.KeepAll}
			var b event.Batch
			p.Append(&b, msg, false)
			all := slices.Collect(b.All())
			if len(all) != 1 || !bytes.Equal(all[0].Body, msg) {
				t.Errorf("keeping all: got %d events, %q; want the message", len(all), all)
			}
			if err := new(event.Batch).Decode(bytes.Clone(b.Encoded())); err != nil {
				t.Error(err)
			}
		}
	})
}
