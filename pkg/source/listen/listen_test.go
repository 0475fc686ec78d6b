package listen_test

import (
	"errors"
	"maps"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/source/listen"
)

func TestTarget(t *testing.T) {
	target := listen.Target("bind", 4711)
	for word, want := range map[string]map[string]string{
		":1":          {"bind": "0.0.0.0", "port": "1"},
		"1":           {"bind": "0.0.0.0", "port": "1"},
		"localhost:1": {"bind": "localhost", "port": "1"},
		"[::1]:1":     {"bind": "::1", "port": "1"},
		"[::]:0":      {"bind": "::", "port": "0"},
	} {
		if got, err := target.Properties(word); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", word, got, err, want)
		}
	}
	for _, word := range []string{"::1:1", "a:b:c", "[::1", "localhost", "localhost:", "localhost:x"} {
		_, err := target.Properties(word)
		if err == nil {
			t.Errorf("%s: taken", word)
			continue
		}
		if got := strings.Join(fault.Lines(err), "\n"); !strings.Contains(got, word) || !strings.Contains(got, "[::1]:4711") {
			t.Errorf("%s: got %s; want the word and an example", word, got)
		}
	}
}

func TestString(t *testing.T) {
	for want, a := range map[string]listen.Address{
		":514":          {Host: listen.Everywhere, Port: 514},
		"[::1]:514":     {Host: "::1", Port: 514},
		"localhost:514": {Host: "localhost", Port: 514},
	} {
		if got := a.String(); got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	}
}

// bind binds the address by TCP or UDP until the test ends, and returns the
// port.
func bind(t *testing.T, network string, a listen.Address) (int, error) {
	t.Helper()
	if network == "udp" {
		conn, err := listen.UDP(t.Context(), a)
		if err != nil {
			return 0, err
		}
		t.Cleanup(func() { conn.Close() })
		return conn.LocalAddr().(*net.UDPAddr).Port, nil
	}
	listener, err := listen.TCP(t.Context(), a)
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func TestFailures(t *testing.T) {
	for network, ss := range map[string]string{"tcp": "ss -ltnp", "udp": "ss -lunp"} {
		t.Run(network, func(t *testing.T) {
			a := listen.Address{HostProperty: "bind", Host: "127.0.0.1"}
			var err error
			if a.Port, err = bind(t, network, a); err != nil {
				t.Fatal(err)
			}
			_, err = bind(t, network, a)
			checkFailure(t, err, syscall.EADDRINUSE, "listening on bind 127.0.0.1, port ", ss)
			_, err = bind(t, network, listen.Address{HostProperty: "host", Host: "192.0.2.1"}) // TEST-NET: nobody's
			checkFailure(t, err, syscall.EADDRNOTAVAIL, "listening on host 192.0.2.1, port 0: ", "set host to ")
		})
	}
}

func checkFailure(t *testing.T, err error, cause syscall.Errno, prefix, hint string) {
	t.Helper()
	if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), prefix) {
		t.Errorf("got %v; want %s… for %v", err, prefix, cause)
		return
	}
	if got := strings.Join(fault.Lines(err), "\n"); !strings.Contains(got, hint) {
		t.Errorf("got %s; want a hint with %s", got, hint)
	}
}

// TestEverywhere holds that 0.0.0.0 is IPv6 as well, as in Java.
func TestEverywhere(t *testing.T) {
	if probe, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	} else {
		probe.Close()
	}
	listener, err := listen.TCP(t.Context(), listen.Address{HostProperty: "bind", Host: listen.Everywhere})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
}
