package syslogudp_test

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
	"github.com/flumekit/flumekit/pkg/source/syslog"
	"github.com/flumekit/flumekit/pkg/source/syslogudp"
)

// options returns the defaults, on a free port.
func options() *syslogudp.Options { return &syslogudp.Options{Host: "127.0.0.1"} }

func TestPromises(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New: func(_ *testing.T, bodies []string) source.Options { return sourcetest.Fed(options(), "udp", bodies...) },
		Refused: map[string]func(*testing.T) source.Options{
			"port": func(t *testing.T) source.Options {
				taken, err := net.ListenPacket("udp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { taken.Close() })
				opt := options()
				opt.Port = option.Int(taken.LocalAddr().(*net.UDPAddr).Port)
				return opt
			},
			"host": func(*testing.T) source.Options {
				opt := options()
				opt.Host = "192.0.2.1" // TEST-NET: nobody's
				return opt
			},
		},
	})
}

// receive sends datagrams to a source and returns the events that n of them make.
func receive(t *testing.T, opt *syslogudp.Options, n int, datagrams ...string) *sourcetest.Collector {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	src, err := sourcetest.Fed(opt, "udp", datagrams...).Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	put := new(sourcetest.Collector)
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, put) }()
	put.Await(t, n)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	return put
}

func TestDatagrams(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	put := receive(t, options(), 6,
		"<13>1 - - a", "", "\n", "<13>1 - - b\n", "<13>1 - - c\nd\n\n", "<13>1 - - "+long, "<13", "12 <13>1 - - x")
	want := []string{"a", "b", "c\nd", long, "<13", "12 <13>1 - - x"}
	if got := put.Bodies(); !slices.Equal(got, want) {
		t.Errorf("got %.100q; want %.100q", got, want)
	}
}

// opened returns an open source that does not run yet, and a connection to it.
func opened(t *testing.T, ctx context.Context) (source.Source, net.Conn) {
	t.Helper()
	src, err := options().Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", src.(source.Addresser).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return src, conn
}

// TestStopTakesWhatTheSystemHas has the source stopped before it has read what
// was sent.
func TestStopTakesWhatTheSystemHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src, conn := opened(t, ctx)
	const datagrams = 100
	for range datagrams {
		if _, err := conn.Write([]byte("<13>1 - - x")); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	var put sourcetest.Collector
	if err := src.Run(ctx, &put); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := len(put.Bodies()); got != datagrams {
		t.Errorf("got %d messages; want %d", got, datagrams)
	}
}

func TestClientHeaders(t *testing.T) {
	opt := options()
	opt.Client = syslog.Client{IPHeader: "ip"}
	for _, batch := range receive(t, opt, 2, "<13>1 - - a", "<13>1 - - b").Batches() {
		for _, e := range batch {
			if ip, _ := e.Headers.Get("ip"); ip != "127.0.0.1" {
				t.Errorf("got ip %q; want 127.0.0.1", ip)
			}
		}
	}
}

// TestDropsAreTold has more sent than the system keeps while nothing is taken.
func TestDropsAreTold(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	ctx, cancel := context.WithCancel(log.WithContext(t.Context()))
	src, conn := opened(t, ctx)
	datagram := []byte("<13>1 - - " + strings.Repeat("x", 60_000))
	for range 256 << 20 / len(datagram) { // twice what is asked for, and Linux doubles that
		if _, err := conn.Write(datagram); err != nil {
			t.Fatal(err)
		}
	}
	var put sourcetest.Collector
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, &put) }()
	put.Await(t, 1)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if text := out.String(); !strings.Contains(text, "UDP gives no guarantee") || !strings.Contains(text, `"dropped":`) {
		t.Errorf("the log says nothing of it:\n%s", text)
	}
}

func TestValidate(t *testing.T) {
	opt := options()
	opt.Port = -1
	if err := opt.Validate(); err == nil || !strings.HasPrefix(err.Error(), "port is ") {
		t.Errorf("got %v; want an error that names port", err)
	}
}

func BenchmarkDatagrams(b *testing.B) {
	put := sourcetest.Collector{Forget: true}
	conn, err := net.Dial("udp", sourcetest.Listen(b, options(), &put).String())
	if err != nil {
		b.Fatal(err)
	}
	datagram := []byte("<13>Oct 11 22:14:15 mymachine su: " + strings.Repeat("x", 166))
	b.SetBytes(int64(len(datagram)))
	const window = 64 // as many as even a small buffer holds
	for i := range b.N {
		if _, err := conn.Write(datagram); err != nil {
			b.Fatal(err)
		}
		if i%window == window-1 {
			put.Await(b, i+1)
		}
	}
	put.Await(b, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
