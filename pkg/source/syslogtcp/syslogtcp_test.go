package syslogtcp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
	"github.com/flumekit/flumekit/pkg/source/syslog"
	"github.com/flumekit/flumekit/pkg/source/syslogtcp"
	"github.com/flumekit/flumekit/pkg/tlsconf"
)

// options returns the defaults, on a free port.
func options() *syslogtcp.Options {
	return &syslogtcp.Options{Host: "127.0.0.1", EventSize: 2500, MaxConnections: 1024}
}

func TestPromises(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New: func(_ *testing.T, bodies []string) source.Options {
			return sourcetest.Fed(options(), "tcp", strings.Join(bodies, "\n")+"\n")
		},
		Refused: map[string]func(*testing.T) source.Options{
			"port": func(t *testing.T) source.Options {
				opt := options()
				opt.Port = option.Int(sourcetest.TakenPort(t))
				return opt
			},
			"host": func(*testing.T) source.Options {
				opt := options()
				opt.Host = "192.0.2.1" // TEST-NET: nobody's
				return opt
			},
			"keystore": func(t *testing.T) source.Options {
				opt := options()
				opt.TLS = tlsconf.Server{Enabled: true, Keystore: filepath.Join(t.TempDir(), "absent")}
				return opt
			},
		},
	})
}

// header returns a header of the one event of the bodies that was committed.
func header(t *testing.T, put *sourcetest.Collector, key string) string {
	t.Helper()
	var value string
	for _, batch := range put.Batches() {
		for _, e := range batch {
			value, _ = e.Headers.Get(key)
		}
	}
	return value
}

func TestSingleLinesAreCommittedAtOnce(t *testing.T) {
	var put sourcetest.Collector
	conn := sourcetest.Dial(t, sourcetest.Listen(t, options(), &put))
	for i, line := range []string{"<13>1 - - a\n", "<13>1 - - b\n", "11 <13>1 - - c"} {
		io.WriteString(conn, line)
		put.Await(t, i+1) // with the connection still open
	}
	if got, want := put.Bodies(), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestLastLineCounts(t *testing.T) {
	for text, status := range map[string]string{
		"<13>1 - - no newline": "",
		"30 <13>1 - - not all": "Incomplete",
	} {
		var put sourcetest.Collector
		conn := sourcetest.Dial(t, sourcetest.Listen(t, options(), &put))
		io.WriteString(conn, text)
		conn.Close()
		put.Await(t, 1)
		if got := header(t, &put, "flume.syslog.status"); got != status {
			t.Errorf("%q: got the status %q; want %q", text, got, status)
		}
	}
}

// TestStopCommitsWhatWasRead has the source stopped while a line is half read.
func TestStopCommitsWhatWasRead(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	src, err := options().Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var put sourcetest.Collector
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, &put) }()
	conn := sourcetest.Dial(t, src.(source.Addresser).Addr())
	io.WriteString(conn, "<13>1 - - whole\n<13>1 - - hal")
	put.Await(t, 1)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if got, want := put.Bodies(), []string{"whole", "hal"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := header(t, &put, "flume.syslog.status"); got != "Incomplete" {
		t.Errorf("the half has the status %q; want Incomplete", got)
	}
}

// TestStopTakesWhatTheSystemHas has the source stopped when it has not read all
// that was sent, since it waits for a commit.
func TestStopTakesWhatTheSystemHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src, err := options().Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var put sourcetest.Collector
	put.Hold()
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, &put) }()
	conn := sourcetest.Dial(t, src.(source.Addresser).Addr())
	const lines = 1000
	if _, err := io.WriteString(conn, strings.Repeat("<13>1 - - "+strings.Repeat("x", 90)+"\n", lines)); err != nil {
		t.Fatal(err)
	}
	put.AwaitCaller(t)
	cancel()
	<-time.After(syslog.DrainTime + syslog.DrainTime/2) // the commit takes longer than that
	put.Accept()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := len(put.Bodies()); got != lines {
		t.Errorf("got %d messages; want %d", got, lines)
	}
}

// TestFullChannelStopsReading has the sender wait while nothing can be
// committed, and nothing lost.
func TestFullChannelStopsReading(t *testing.T) {
	var put sourcetest.Collector
	put.Fill()
	conn := sourcetest.Dial(t, sourcetest.Listen(t, options(), &put))
	const chunk = 1000
	text := []byte(strings.Repeat("<13>1 - - "+strings.Repeat("x", 190)+"\n", chunk))
	sent := 0
	for {
		conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) // that it has to wait takes time
		n, err := conn.Write(text)
		sent += n
		if err != nil {
			break
		}
		if sent > 1<<30 {
			t.Fatal("a gigabyte was taken while nothing could be committed")
		}
	}
	put.Accept()
	conn.SetWriteDeadline(time.Time{})
	if rest := sent % len(text); rest > 0 {
		if _, err := conn.Write(text[rest:]); err != nil {
			t.Fatal(err)
		}
		sent += len(text) - rest
	}
	put.Await(t, sent/len(text)*chunk)
}

func TestEventSize(t *testing.T) {
	opt := options()
	opt.EventSize = 20
	var put sourcetest.Collector
	conn := sourcetest.Dial(t, sourcetest.Listen(t, opt, &put))
	io.WriteString(conn, "<13>"+strings.Repeat("a", 17)+"\n<13>1 - - x\n")
	put.Await(t, 3)
	if got, want := put.Bodies(), []string{"<13>" + strings.Repeat("a", 16), "a", "x"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestKeepFieldsAndFormat(t *testing.T) {
	opt := options()
	if err := opt.KeepFields.UnmarshalText([]byte("hostname")); err != nil {
		t.Fatal(err)
	}
	opt.Format = syslog.Format{
		Regex:      `<(\d+)>(\d*) ?\[(.*?)\] (\S+): (.*)`,
		Search:     `(\d+)/(\d+)`,
		Replace:    "$2/$1",
		DateFormat: "yyyy/dd/MMM HH:mm:ss Z",
	}
	if err := opt.Format.Validate(); err != nil {
		t.Fatal(err)
	}
	var put sourcetest.Collector
	conn := sourcetest.Dial(t, sourcetest.Listen(t, opt, &put))
	io.WriteString(conn, "<13>[24/2026/Dec 10:00:00 +0200] box: mine\n<13>1 - host2 theirs\n")
	put.Await(t, 2)
	if got, want := put.Bodies(), []string{"box mine", "host2 theirs"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	first := put.Batches()[0][0].Headers
	if got, _ := first.Get("timestamp"); got != "1798099200000" {
		t.Errorf("got the timestamp %s; want that of 24 December 2026, 8:00 UTC", got)
	}
}

// TestSearchWithoutReplace has what is found taken out of the time.
func TestSearchWithoutReplace(t *testing.T) {
	opt := options()
	opt.Format = syslog.Format{Regex: `<(\d+)>(X)\|([^|]*)\|([^|]*)\|(.*)`, Search: `^about `, DateFormat: "MM/yyyy Z"}
	var put sourcetest.Collector
	conn := sourcetest.Dial(t, sourcetest.Listen(t, opt, &put))
	io.WriteString(conn, "<13>X|about 12/2026 +0000|h|b\n")
	put.Await(t, 1)
	if got, want := header(t, &put, "timestamp"), "1796083200000"; got != want {
		t.Errorf("got the timestamp %q; want %s", got, want)
	}
}

func TestClientHeaders(t *testing.T) {
	opt := options()
	opt.Client = syslog.Client{IPHeader: "ip", HostnameHeader: "host"}
	var put sourcetest.Collector
	conn := sourcetest.Dial(t, sourcetest.Listen(t, opt, &put))
	io.WriteString(conn, "<13>1 - theirs x\n")
	put.Await(t, 1)
	names, err := net.DefaultResolver.LookupAddr(t.Context(), "127.0.0.1")
	name := "127.0.0.1"
	if err == nil && len(names) > 0 {
		name = strings.TrimSuffix(names[0], ".")
	}
	if ip, host := header(t, &put, "ip"), header(t, &put, "host"); ip != "127.0.0.1" || host != name {
		t.Errorf("got ip %q and host %q; want 127.0.0.1 and %s", ip, host, name)
	}
}

// identity writes a key with its certificate to a file.
func identity(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "identity.pem")
	text := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTLS(t *testing.T) {
	opt := options()
	opt.TLS = tlsconf.Server{Enabled: true, Keystore: identity(t)}
	var put sourcetest.Collector
	addr := sourcetest.Listen(t, opt, &put)

	plain := sourcetest.Dial(t, addr)
	io.WriteString(plain, "<13>1 - - in the clear\n")
	if _, err := io.Copy(io.Discard, plain); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a client without TLS: %v; want the connection closed", err)
	}
	trust := tlsconf.Client{Enabled: true, Truststore: opt.TLS.Keystore, VerifyHostname: true}
	config, err := trust.Config("localhost")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", addr.String(), config)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Repeat("<13>1 - - "+strings.Repeat("x", 190)+"\n", 1000)
	if _, err := io.WriteString(conn, lines); err != nil {
		t.Fatal(err)
	}
	put.Await(t, 1000)
	conn.Close()
	if got := put.Bodies(); slices.Contains(got, "in the clear") {
		t.Error("what came in the clear was taken")
	}
}

func TestMaxConnections(t *testing.T) {
	opt := options()
	opt.MaxConnections = 1
	var put sourcetest.Collector
	addr := sourcetest.Listen(t, opt, &put)
	first := sourcetest.Dial(t, addr)
	io.WriteString(first, "<13>1 - - a\n")
	put.Await(t, 1)
	second := sourcetest.Dial(t, addr)
	if _, err := second.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the second connection: got %v; want EOF", err)
	}
	io.WriteString(first, "<13>1 - - b\n")
	put.Await(t, 2)
}

func TestValidate(t *testing.T) {
	if err := options().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for property, spoil := range map[string]func(*syslogtcp.Options){
		"port":            func(o *syslogtcp.Options) { o.Port = 65536 },
		"eventSize":       func(o *syslogtcp.Options) { o.EventSize = 0 },
		"max-connections": func(o *syslogtcp.Options) { o.MaxConnections = 0 },
	} {
		opt := options()
		spoil(opt)
		if err := opt.Validate(); err == nil || !strings.HasPrefix(err.Error(), property+" is ") {
			t.Errorf("%s: got %v; want an error that names it", property, err)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	put := sourcetest.Collector{Forget: true}
	conn := sourcetest.Dial(b, sourcetest.Listen(b, options(), &put))
	conn.SetDeadline(time.Time{})
	const lines = 1000
	begin := "<13>Oct 11 22:14:15 mymachine su: "
	chunk := []byte(strings.Repeat(begin+strings.Repeat("x", 200-len(begin))+"\n", lines))
	b.SetBytes(lines * 201)
	b.ResetTimer()
	for range b.N {
		if _, err := conn.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	put.Await(b, b.N*lines)
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "events/s")
}
