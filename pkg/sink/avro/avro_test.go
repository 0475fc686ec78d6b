package avro_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/rpc"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/avro"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

// collector is an avro source that keeps what it takes.
type collector struct {
	addr string
	stop func()

	mu     sync.Mutex
	conns  int
	bodies []string
	held   chan struct{} // closed when requests may go on; nil if they may
	broken bool          // nobody may connect, and requests fail
}

func (c *collector) start(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	server := &rpc.Server{Append: c.take, Admit: func(net.Addr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns++
		return !c.broken
	}}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func (c *collector) take(b *event.Batch) error {
	c.mu.Lock()
	held := c.held
	c.mu.Unlock()
	if held != nil {
		<-held
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return errors.New("broken")
	}
	for e := range b.All() {
		c.bodies = append(c.bodies, string(e.Body))
	}
	return nil
}

// newSink returns a sink's options and the collector that they lead to.
func newSink(t testing.TB, properties ...string) (*avro.Options, *collector) {
	c := &collector{addr: "127.0.0.1:0"}
	c.start(t)
	host, port, err := net.SplitHostPort(c.addr)
	if err != nil {
		t.Fatal(err)
	}
	return sinktest.Set(t, new(avro.Options), append([]string{"hostname", host, "port", port}, properties...)...), c
}

// set puts the collector in a state.
func (c *collector) set(broken bool, held chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken, c.held = broken, held
}

func TestPromises(t *testing.T) {
	opt, c := newSink(t)
	defer c.stop() // it is there before each promise is tried, and after
	sinktest.Run(t, sinktest.Case{
		New: func(*testing.T) (sink.Options, sinktest.Destination) {
			c.set(false, nil)
			c.bodies = nil
			return opt, sinktest.Destination{
				Bodies: func(*testing.T) []string {
					c.mu.Lock()
					defer c.mu.Unlock()
					return slices.Clone(c.bodies)
				},
				Break: func(*testing.T) func() {
					c.set(true, nil)
					return func() { c.set(false, nil) }
				},
				Stall: func(*testing.T) func() {
					held := make(chan struct{})
					c.set(false, held)
					return func() {
						c.set(false, nil)
						close(held)
					}
				},
			}
		},
		Refused: map[string]func(*testing.T) sink.Options{
			"hostname": func(*testing.T) sink.Options { return new(avro.Options) },
			"port":     func(*testing.T) sink.Options { return &avro.Options{Hostname: "h"} },
			"hosts.a": func(*testing.T) sink.Options {
				return &avro.Options{Client: rpc.Options{Hosts: []string{"a"}}}
			},
			"reset-connection-interval": func(*testing.T) sink.Options {
				return &avro.Options{Hostname: "h", Port: 1, ResetInterval: -1}
			},
		},
	})
}

func TestResetConnectionInterval(t *testing.T) {
	opt, c := newSink(t, "reset-connection-interval", "20ms")
	defer c.stop()
	s, err := opt.Open(sinktest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b event.Batch
	b.Append(event.Event{Body: []byte("x")})
	count := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.conns
	}
	begin := time.Now()
	for count() < 3 {
		if err := s.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if time.Since(begin) > sinktest.Bound {
			t.Fatalf("got %d connections; want a new one every 20 ms", count())
		}
	}
	if took := time.Since(begin); took < 40*time.Millisecond {
		t.Errorf("three connections in %v; want 20 ms between", took)
	}
}

func TestSeveralHosts(t *testing.T) {
	_, one := newSink(t)
	_, two := newSink(t)
	defer two.stop()
	opt := sinktest.Set(t, new(avro.Options), "client.type", "default_failover", "hosts", "a b", "hosts.a", one.addr, "hosts.b", two.addr)
	if err := opt.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := opt.Open(sinktest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 2 {
		var b event.Batch
		b.Append(event.Event{Body: []byte(strconv.Itoa(i))})
		if err := s.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			one.stop()
		}
	}
	if got := strings.Join(one.bodies, " ") + "|" + strings.Join(two.bodies, " "); got != "0|1" {
		t.Errorf("got %s; want 0 at the first host and 1 at the second", got)
	}
}

func TestMaxEvents(t *testing.T) {
	for text, want := range map[string]int{"1000": 1000, "1": 1, "0": 100, "-5": 100} {
		opt := sinktest.Set(t, new(avro.Options), "hostname", "h", "port", "1", "batch-size", text)
		if got := opt.MaxEvents(); got != want {
			t.Errorf("batch-size %s: got %d; want %d, as Flume has it", text, got, want)
		}
	}
}

// TestFlumesFile has what Flume lets pass be let pass.
func TestFlumesFile(t *testing.T) {
	opt := sinktest.Set(t, new(avro.Options), "hostname", "h", "port", "1", "maxIoWorkers", "two")
	opt.Client.Hosts, opt.Client.Addresses = []string{"h1", "h2"}, map[string]string{"h1": "a:1", "h2": "b:1"}
	if err := opt.Validate(); err != nil {
		t.Error(err)
	}
	if got := opt.Client.Warnings(); len(got) != 1 {
		t.Errorf("got the warnings %q; want that of two hosts one is used", got)
	}
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct{ word, host, port string }{
		{"collector:4141", "collector", "4141"},
		{"[::1]:4141", "::1", "4141"},
		{":4141", "", ""},
		{"collector", "", ""},
	} {
		got, err := avro.Spec.Target.Properties(tt.word)
		if (err != nil) != (tt.port == "") || got["hostname"] != tt.host || got["port"] != tt.port {
			t.Errorf("%s: got %v, %v; want %s, %s", tt.word, got, err, tt.host, tt.port)
		}
		if err != nil && len(fault.Lines(err)) < 2 {
			t.Errorf("%s: %v has no hint", tt.word, err)
		}
	}
}

func Benchmark(b *testing.B) {
	opt, c := newSink(b, "batch-size", "1000")
	defer c.stop()
	sinktest.Benchmark(b, opt)
}
