package multiportsyslogtcp_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/multiportsyslogtcp"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
	"github.com/flumekit/flumekit/pkg/source/syslog"
)

// options returns the defaults, on free ports.
func options(ports int) *multiportsyslogtcp.Options {
	return &multiportsyslogtcp.Options{
		Host: "127.0.0.1", Ports: make([]option.Int, ports), EventSize: 2500, BatchSize: 100, MaxConnections: 1024,
	}
}

func TestPromises(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New: func(_ *testing.T, bodies []string) source.Options {
			return sourcetest.Fed(options(1), "tcp", strings.Join(bodies, "\n")+"\n")
		},
		Refused: map[string]func(*testing.T) source.Options{
			"port": func(t *testing.T) source.Options {
				opt := options(2)
				opt.Ports[1] = option.Int(sourcetest.TakenPort(t))
				return opt
			},
		},
	})
}

// run runs a source until the test ends, and returns where it listens.
func run(t testing.TB, opt *multiportsyslogtcp.Options, put source.Put) []string {
	t.Helper()
	return strings.Fields(sourcetest.Listen(t, opt, put).String())
}

// send sends text in pieces of a few bytes each.
func send(t *testing.T, addr, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	for piece := range slices.Chunk([]byte(text), 7) {
		if _, err := conn.Write(piece); err != nil {
			t.Error(err)
			return
		}
	}
}

func TestManyPortsAndPieces(t *testing.T) {
	const ports, lines = 20, 50
	opt := options(ports)
	opt.PortHeader = "port"
	opt.Client = syslog.Client{IPHeader: "ip"}
	var put sourcetest.Collector
	addrs := run(t, opt, &put)
	if len(addrs) != ports {
		t.Fatalf("it listens at %q; want %d ports", addrs, ports)
	}
	want := make(map[string]int)
	for _, addr := range addrs {
		_, port, _ := net.SplitHostPort(addr)
		want[port] = lines
		var text strings.Builder
		for i := range lines {
			fmt.Fprintf(&text, "<13>1 2024-06-01T12:00:00Z h %s %d\n", port, i)
		}
		go send(t, addr, text.String())
	}
	put.Await(t, ports*lines)
	next := make(map[string]int)
	for _, batch := range put.Batches() {
		if len(batch) > 100 {
			t.Errorf("a batch of %d events; want 100 at most", len(batch))
		}
		for _, e := range batch {
			port, _ := e.Headers.Get("port")
			if body, want := string(e.Body), fmt.Sprintf("%s %d", port, next[port]); body != want {
				t.Errorf("got %q; want %q", body, want)
			}
			next[port]++
			if ip, _ := e.Headers.Get("ip"); ip != "127.0.0.1" {
				t.Errorf("got ip %q; want 127.0.0.1", ip)
			}
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	return free.Addr().(*net.TCPAddr).Port
}

func TestCharsetOfAPort(t *testing.T) {
	port := freePort(t)
	opt := options(1)
	opt.Ports = append(opt.Ports, option.Int(port))
	var latin option.Charset
	if err := latin.UnmarshalText([]byte("ISO-8859-1")); err != nil {
		t.Fatal(err)
	}
	opt.Charsets = map[string]option.Charset{"0" + fmt.Sprint(port): latin} // a number, to Flume
	if err := opt.Validate(); err != nil {
		t.Fatal(err)
	}
	var put sourcetest.Collector
	const line = "<13>1 2024-06-01T12:00:00Z caf\xe9 th\xe9\n"
	for i, addr := range run(t, opt, &put) {
		send(t, addr, line)
		put.Await(t, i+1)
	}
	batches := put.Batches()
	utf8, latin1 := batches[0][0], batches[1][0]
	if status, _ := utf8.Headers.Get("flume.syslog.status"); status != "Invalid" || string(utf8.Body) != strings.TrimSpace(line) {
		t.Errorf("where UTF-8 is meant: got %q with status %q; want it as it came, Invalid", utf8.Body, status)
	}
	if host, _ := latin1.Headers.Get("host"); host != "café" || string(latin1.Body) != "th\xe9" {
		t.Errorf("where ISO-8859-1 is meant: got %q of host %q; want th\\xe9 of café", latin1.Body, host)
	}
}

func TestCharsetOfNoPortIsTold(t *testing.T) {
	for port, want := range map[option.Int]string{0: "[]", 9: "[]", 10: "[charset.port.9 is set, and 9 is not among the ports]"} {
		opt := options(1)
		opt.Ports[0] = port
		opt.Charsets = map[string]option.Charset{"9": {}}
		if got := fmt.Sprint(opt.Warnings()); got != want {
			t.Errorf("port %d: got %s; want %s", port, got, want)
		}
	}
}

// TestBadLinesLoseNoOthers has what makes Flume drop all that was read with it.
func TestBadLinesLoseNoOthers(t *testing.T) {
	opt := options(1)
	opt.EventSize = 40
	var put sourcetest.Collector
	exact := "<13>1 2024-06-01T12:00:00Z h " + strings.Repeat("a", 11) // of 40 bytes
	addr := run(t, opt, &put)[0]
	send(t, addr, "<13>1 - - good\n\n<13>1 2024-06-01T12:00:00.123 h x\n<13>not a date at all h x\n"+exact+"\n<13>1 - - last\n")
	put.Await(t, 5)
	want := []string{"good", "x", "<13>not a date at all h x", strings.Repeat("a", 11), "last"}
	if got := put.Bodies(); !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestTarget(t *testing.T) {
	got, err := multiportsyslogtcp.Spec.Target.Properties("10001,10002")
	if err != nil || got["ports"] != "10001 10002" {
		t.Errorf("got %v, %v; want both ports", got, err)
	}
}

func TestValidate(t *testing.T) {
	if err := options(1).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, spoil := range map[string]func(*multiportsyslogtcp.Options){
		"ports has 65536":   func(o *multiportsyslogtcp.Options) { o.Ports[0] = 65536 },
		"ports has no port": func(o *multiportsyslogtcp.Options) { o.Ports = nil },
		"eventSize is 0":    func(o *multiportsyslogtcp.Options) { o.EventSize = 0 },
		"batchSize is 0":    func(o *multiportsyslogtcp.Options) { o.BatchSize = 0 },
		"max-connections":   func(o *multiportsyslogtcp.Options) { o.MaxConnections = 0 },
		"charset.port.x":    func(o *multiportsyslogtcp.Options) { o.Charsets = map[string]option.Charset{"x": {}} },
	} {
		opt := options(1)
		spoil(opt)
		if err := opt.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v; want %s…", err, want)
		}
	}
}
