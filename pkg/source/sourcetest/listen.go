package sourcetest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/source"
)

// Listen runs a source until t ends, and returns where it listens. Its Run must
// return nil then.
func Listen(t testing.TB, opt source.Options, put source.Put) net.Addr {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	src, err := opt.Open(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, put) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return src.(source.Addresser).Addr()
}

// Dial connects to a source over TCP, until t ends and for Bound at the longest.
func Dial(t testing.TB, addr net.Addr) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(Bound))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// TakenPort returns a TCP port of 127.0.0.1 that is taken until t ends.
func TakenPort(t testing.TB) int {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	return taken.Addr().(*net.TCPAddr).Port
}

// Fed returns options of a source that listens to a network ("tcp" or "udp"), and
// is sent messages as soon as it is open, each in one write. Their sender is told
// nothing, so that the promises see a source with an input of its own.
func Fed(opt source.Options, network string, messages ...string) source.Options {
	return &fed{opt, network, messages}
}

type fed struct {
	source.Options
	network  string
	messages []string
}

func (f *fed) Open(ctx context.Context) (source.Source, error) {
	src, err := f.Options.Open(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial(f.network, src.(source.Addresser).Addr().String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for _, message := range f.messages {
		if _, err := conn.Write([]byte(message)); err != nil {
			return nil, err
		}
	}
	return src, nil
}
