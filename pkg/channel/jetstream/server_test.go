package jetstream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/jetstream"
	"github.com/flumekit/flumekit/pkg/option"
)

// serve runs a nats-server with JetStream until the test ends.
func serve(t *testing.T, change ...func(*server.Options)) *server.Server {
	t.Helper()
	s := start(t, serverOptions(t, change...))
	t.Cleanup(func() { stop(s) })
	return s
}

func serverOptions(t *testing.T, change ...func(*server.Options)) *server.Options {
	o := &server.Options{
		Host:      "127.0.0.1",
		Port:      -1,
		NoSigs:    true,
		NoLog:     true,
		JetStream: true,
		StoreDir:  t.TempDir(),
	}
	for _, c := range change {
		c(o)
	}
	return o
}

func start(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// logged returns the test's context with a logger that writes to the test's log.
func logged(t testing.TB) context.Context {
	t.Helper()
	return zerolog.New(zerolog.NewTestWriter(t)).WithContext(t.Context())
}

// options are those of a channel in the servers at urls, with the defaults that
// a command line has.
func options(urls string) *jetstream.Options {
	return &jetstream.Options{
		Servers:             strings.Split(urls, ","),
		Stream:              "flumekit",
		MaxBytes:            256 << 20,
		MaxMsgs:             -1,
		Duplicate:           option.Seconds(2 * time.Minute),
		Consumer:            "flumekit",
		AckWait:             option.Seconds(30 * time.Second),
		TransactionCapacity: 10000,
		KeepAlive:           option.Seconds(3 * time.Second),
		ConnectWait:         option.Seconds(10 * time.Second),
		Capacity:            1000000,
		MaxPayload:          1 << 20,
	}
}

func open(t testing.TB, o *jetstream.Options) channel.Channel {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(logged(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}
