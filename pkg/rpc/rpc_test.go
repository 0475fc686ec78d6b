package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/rpc"
	"github.com/flumekit/flumekit/pkg/tlsconf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLayers sends batches of all sizes through every combination of
// compression and TLS.
func TestLayers(t *testing.T) {
	keystore, truststore := certificate(t)
	for _, tt := range []struct {
		name        string
		compression rpc.Compression
		tls         bool
		order       rpc.CompressionOrder
	}{
		{"plain", rpc.None, false, rpc.Outside},
		{"deflate", rpc.Deflate, false, rpc.Outside},
		{"TLS", rpc.None, true, rpc.Outside},
		{"TLS in deflate", rpc.Deflate, true, rpc.Outside},
		{"deflate in TLS", rpc.Deflate, true, rpc.Inside},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &peer{Server: rpc.Server{Compression: tt.compression}}
			if tt.tls {
				var err error
				if p.TLS, err = (&tlsconf.Server{Enabled: true, Keystore: keystore}).Config(); err != nil {
					t.Fatal(err)
				}
			}
			p.start(t)
			opt := options(p.addr)
			opt.Compression, opt.Order = tt.compression, tt.order
			opt.BatchSize = 10_000
			opt.TLS = tlsconf.Client{Enabled: option.Bool(tt.tls), Truststore: truststore}
			client := open(t, opt)
			var want []string
			for _, n := range []int{1, 100, 10_000, 0, 1} {
				var bodies []string
				for i := range n {
					bodies = append(bodies, fmt.Sprintf("%d %d %s", n, i, strings.Repeat("x", i%300)))
				}
				if err := client.AppendBatch(t.Context(), batchOf(bodies...)); err != nil {
					t.Fatalf("a batch of %d: %v", n, err)
				}
				want = append(want, bodies...)
			}
			if got := p.bodies(); !slices.Equal(got, want) {
				t.Errorf("got %d events; want the %d that were sent, in order", len(got), len(want))
			}
		})
	}
}

// TestLayersThatDoNotMatch has ends that disagree find out, both of them.
func TestLayersThatDoNotMatch(t *testing.T) {
	keystore, truststore := certificate(t)
	secure, err := (&tlsconf.Server{Enabled: true, Keystore: keystore}).Config()
	if err != nil {
		t.Fatal(err)
	}
	plain, packed := rpc.Server{}, rpc.Server{Compression: rpc.Deflate}
	tls, both := rpc.Server{TLS: secure}, rpc.Server{TLS: secure, Compression: rpc.Deflate}
	for name, tt := range map[string]struct {
		server  *rpc.Server
		packed  bool
		encrypt bool
	}{
		"deflate to plain":       {&plain, true, false},
		"plain to deflate":       {&packed, false, false},
		"TLS to plain":           {&plain, false, true},
		"plain to TLS":           {&tls, false, false},
		"deflate to TLS":         {&tls, true, false},
		"TLS to deflate":         {&packed, false, true},
		"plain to both":          {&both, false, false},
		"TLS in deflate to TLS":  {&tls, true, true},
		"TLS in deflate, packed": {&packed, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &peer{}
			p.TLS, p.Compression = tt.server.TLS, tt.server.Compression
			p.start(t)
			opt := options(p.addr)
			opt.TLS = tlsconf.Client{Enabled: option.Bool(tt.encrypt), Truststore: truststore}
			if tt.packed {
				opt.Compression = rpc.Deflate
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			client := open(t, opt)
			for range 2 {
				err := client.AppendBatch(ctx, batchOf("x"))
				if err == nil || ctx.Err() != nil {
					t.Fatalf("got %v; want an error, and soon", err)
				}
				if hints := fault.Hints(err); len(hints) != 1 || !strings.HasPrefix(hints[0], "see that ssl") {
					t.Errorf("%v: got the hints %q; want what to compare", err, hints)
				}
				if strings.Contains(err.Error(), "->") { // a log says each reason once
					t.Errorf("got %q, with an address that is another one each time", err)
				}
			}
			if got := p.bodies(); len(got) > 0 {
				t.Errorf("got %q; want nothing", got)
			}
		})
	}
}

func TestBatchSize(t *testing.T) {
	p := new(peer).start(t)
	opt := options(p.addr)
	opt.BatchSize = 2
	client := open(t, opt)
	if err := client.AppendBatch(t.Context(), batchOf("1", "2", "3", "4", "5")); err != nil {
		t.Fatal(err)
	}
	if got, want := text(p.requests), []string{"{}1 {}2", "{}3 {}4", "{}5"}; !slices.Equal(got, want) {
		t.Errorf("got the requests %q; want %q", got, want)
	}
}

// TestLargerRequests has a server of ours tell how many events it commits at once.
func TestLargerRequests(t *testing.T) {
	for _, tt := range []struct{ told, want int }{{0, 2}, {1, 2}, {5, 5}, {1000, 16}} {
		t.Run(fmt.Sprint(tt.told), func(t *testing.T) {
			p := &peer{Server: rpc.Server{MaxEvents: func() int { return tt.told }}}
			p.start(t)
			opt := options(p.addr)
			opt.BatchSize = 2
			client := open(t, opt)
			for i, want := range []int{2, tt.want} {
				if got := client.BatchSize(); got != want {
					t.Errorf("after %d requests: got batches of %d; want %d", i, got, want)
				}
				if err := client.AppendBatch(t.Context(), batchOf(slices.Repeat([]string{"x"}, want)...)); err != nil {
					t.Fatal(err)
				}
				if got := len(p.requests[len(p.requests)-1]); len(p.requests) != i+1 || got != want {
					t.Errorf("got %d requests, the last of %d events; want %d, of %d", len(p.requests), got, i+1, want)
				}
			}
			p.stop()
			if err := client.AppendBatch(t.Context(), batchOf("x")); err == nil {
				t.Error("got no error; want one for a server that is gone")
			}
			if got := client.BatchSize(); got != 2 {
				t.Errorf("got batches of %d without a connection; want 2", got)
			}
		})
	}
}

func TestClientConnectsAgain(t *testing.T) {
	p := new(peer).start(t)
	client := open(t, options(p.addr))
	if err := client.AppendBatch(t.Context(), batchOf("1")); err != nil {
		t.Fatal(err)
	}
	p.stop()
	for range 2 {
		if err := client.AppendBatch(t.Context(), batchOf("2")); err == nil || !strings.HasPrefix(err.Error(), p.addr+": ") {
			t.Errorf("got %v; want an error that names the server", err)
		}
	}
	p.start(t)
	if err := client.AppendBatch(t.Context(), batchOf("2")); err != nil {
		t.Error(err)
	}
	if got := p.bodies(); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("got %q; want 1 and 2", got)
	}
}

func TestRefusalKeepsTheConnection(t *testing.T) {
	p := &peer{Server: rpc.Server{MaxConnections: 1}}
	accepted := 0
	p.Admit = func(net.Addr) bool { accepted++; return true }
	p.start(t)
	client := open(t, options(p.addr))
	p.refuse(errors.New("full"))
	var status *rpc.StatusError
	if err := client.AppendBatch(t.Context(), batchOf("1")); !errors.As(err, &status) || status.Status != rpc.Failed {
		t.Errorf("got %v; want FAILED", err)
	}
	p.refuse(nil)
	if err := client.AppendBatch(t.Context(), batchOf("1")); err != nil {
		t.Error(err)
	}
	p.stop()
	if accepted != 1 {
		t.Errorf("got %d connections; want 1", accepted)
	}
}

func TestNotAdmitted(t *testing.T) {
	p := &peer{Server: rpc.Server{Admit: func(net.Addr) bool { return false }}}
	p.start(t)
	if err := open(t, options(p.addr)).AppendBatch(t.Context(), batchOf("1")); err == nil {
		t.Error("got no error; want a closed connection")
	}
}

// deaf is the address of a server whose queue of connections is full.
func deaf(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("a queue of one connection is Linux's")
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*syscall.SockaddrInet4).Port))
	for range 2 { // the queue of Linux holds one more than it is said to
		conn, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { conn.Close() })
	}
	return addr
}

// silent is the address of a server that accepts and says nothing.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestEndOfACall(t *testing.T) {
	t.Run("by its context", func(t *testing.T) {
		client := open(t, options(silent(t)))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := client.AppendBatch(ctx, batchOf("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v; want context.Canceled", err)
		}
	})
	t.Run("by Close", func(t *testing.T) {
		client := open(t, options(silent(t)))
		time.AfterFunc(20*time.Millisecond, func() { client.Close() })
		if err := client.AppendBatch(t.Context(), batchOf("x")); !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("got %v; want ErrClosed", err)
		}
		if err := client.AppendBatch(t.Context(), batchOf("x")); !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("after Close: got %v; want ErrClosed", err)
		}
	})
	t.Run("by request-timeout", func(t *testing.T) {
		opt := options(silent(t))
		opt.RequestTimeout = option.Millis(time.Second)
		err := open(t, opt).AppendBatch(t.Context(), batchOf("x"))
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasSuffix(err.Error(), "RPC request timed out after 1s") {
			t.Errorf("got %v; want Flume's text, and os.ErrDeadlineExceeded", err)
		}
	})
	t.Run("by connect-timeout, within TLS", func(t *testing.T) {
		_, truststore := certificate(t)
		opt := options(silent(t))
		opt.ConnectTimeout = option.Millis(time.Second)
		opt.TLS = tlsconf.Client{Enabled: true, Truststore: truststore}
		err := open(t, opt).AppendBatch(t.Context(), batchOf("x"))
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "no TLS within 1s") {
			t.Errorf("got %v; want that TLS took too long, and os.ErrDeadlineExceeded", err)
		}
	})
	t.Run("by connect-timeout", func(t *testing.T) {
		opt := options(deaf(t))
		opt.ConnectTimeout = option.Millis(time.Second)
		err := open(t, opt).AppendBatch(t.Context(), batchOf("x"))
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "no connection within 1s") {
			t.Errorf("got %v; want that nobody answered, and os.ErrDeadlineExceeded", err)
		}
	})
	t.Run("by a refusal to connect", func(t *testing.T) {
		p := new(peer).start(t)
		p.stop()
		if err := open(t, options(p.addr)).AppendBatch(t.Context(), batchOf("x")); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v; want ECONNREFUSED", err)
		}
	})
}

func TestServerRefusesWhatIsNotTheProtocol(t *testing.T) {
	for name, sent := range map[string]string{
		"no buffers":            "\x00\x00\x00\x01\x00\x00\x00\x00",
		"too many buffers":      "\x00\x00\x00\x01\xff\xff\xff\xff",
		"a buffer too large":    "\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff",
		"HTTP":                  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"a handshake cut short": "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01x",
	} {
		t.Run(name, func(t *testing.T) {
			p := new(peer).start(t)
			conn := dial(t, p.addr)
			io.WriteString(conn, sent)
			if answer, err := io.ReadAll(conn); len(answer) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q, %v; want a closed connection", answer, err)
			}
		})
	}
	t.Run("an unknown message and a broken one", func(t *testing.T) {
		sent, _ := recorded(t, "plain")
		p := new(peer).start(t)
		conn := dial(t, p.addr)
		conn.Write(sent[0])
		if _, err := readFrame(conn); err != nil {
			t.Fatal(err)
		}
		for _, each := range []struct{ from, to, want string }{
			{"appendBatch", "disappendin", "No such remote message: disappendin"},
			{"\x06\x00\x04b0", "\x06\x00\x7fb0", "malformed Avro RPC"},
			{"", "", "\x00\x00\x00"}, // as good as before
		} {
			frame := bytes.Replace(sent[1], []byte(each.from), []byte(each.to), 1)
			conn.Write(frame)
			if answer, err := readFrame(conn); err != nil || !bytes.Contains(answer, []byte(each.want)) {
				t.Errorf("got %q, %v; want %q", answer, err, each.want)
			}
		}
	})
}

func TestFailover(t *testing.T) {
	one, two := new(peer).start(t), new(peer).start(t)
	opt := options(one.addr, two.addr)
	opt.Type = rpc.Failover
	client := open(t, opt)
	send := func(body string) {
		t.Helper()
		if err := client.AppendBatch(t.Context(), batchOf(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	send("1")
	send("2")
	one.stop()
	send("3")
	one.start(t)
	send("4") // it stays where it is
	two.refuse(errors.New("full"))
	send("5")
	if got, want := one.bodies(), []string{"1", "2", "5"}; !slices.Equal(got, want) {
		t.Errorf("the first host got %q; want %q", got, want)
	}
	if got, want := two.bodies(), []string{"3", "4"}; !slices.Equal(got, want) {
		t.Errorf("the second host got %q; want %q", got, want)
	}
	one.stop()
	if err := client.Append(t.Context(), event.Event{}); err == nil || !strings.Contains(err.Error(), "failed to send to any of 2 hosts") {
		t.Errorf("got %v; want that no host took it", err)
	}
}

func TestLoadBalance(t *testing.T) {
	for name, selector := range map[string]rpc.HostSelector{"round_robin": rpc.RoundRobin, "random": rpc.Random} {
		t.Run(name, func(t *testing.T) {
			peers := []*peer{new(peer).start(t), new(peer).start(t), new(peer).start(t)}
			opt := options(peers[0].addr, peers[1].addr, peers[2].addr)
			opt.Type, opt.Selector, opt.Backoff = rpc.LoadBalance, selector, true
			client := open(t, opt)
			const calls = 300
			for i := range calls {
				if i == calls/2 {
					peers[1].stop()
				}
				if err := client.AppendBatch(t.Context(), batchOf(fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
			}
			all := 0
			for i, p := range peers {
				n := len(p.bodies())
				if all += n; n < calls/10 {
					t.Errorf("host %d got %d of %d events; want its part", i, n, calls)
				}
			}
			if all != calls {
				t.Errorf("got %d events; want %d", all, calls)
			}
			peers[0].stop()
			peers[2].stop()
			for range 2 { // the second time all are left alone
				if err := client.AppendBatch(t.Context(), batchOf("x")); err == nil || !strings.Contains(err.Error(), "unable to send to any of 3 hosts") {
					t.Errorf("got %v; want that no host took it", err)
				}
			}
		})
	}
	t.Run("of one host", func(t *testing.T) {
		opt := options("127.0.0.1:1")
		opt.Type = rpc.LoadBalance
		_, err := rpc.New(t.Context(), opt)
		if text := strings.Join(fault.Lines(err), "\n"); !strings.Contains(text, "at least two hosts") || !strings.Contains(text, "hint: ") {
			t.Errorf("got %q; want Flume's reason and a hint", text)
		}
	})
}

// TestOneClientOfMany has many goroutines use one client, and one of them close
// it under the others.
func TestOneClientOfMany(t *testing.T) {
	for name, kind := range map[string]rpc.ClientType{"default": rpc.Default, "failover": rpc.Failover, "load balance": rpc.LoadBalance} {
		t.Run(name, func(t *testing.T) {
			one, two := new(peer).start(t), new(peer).start(t)
			opt := options(one.addr, two.addr)
			opt.Type = kind
			client := open(t, opt)
			const callers, calls = 8, 20
			var first, all sync.WaitGroup
			var sent atomic.Int64
			for range callers {
				first.Add(1)
				all.Go(func() {
					for n := 0; ; n++ {
						if n == calls {
							first.Done()
						}
						if err := client.AppendBatch(t.Context(), batchOf("x")); err != nil {
							if n < calls || !errors.Is(err, rpc.ErrClosed) {
								t.Errorf("call %d: %v", n, err)
							}
							if n < calls {
								first.Done()
							}
							return
						}
						sent.Add(1)
						client.BatchSize()
					}
				})
			}
			first.Wait()
			if err := client.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			all.Wait()
			if err := client.Close(); err != nil {
				t.Errorf("a second Close: %v", err)
			}
			// A call that was under way when the client was closed may have been committed.
			if got := len(one.bodies()) + len(two.bodies()); got < int(sent.Load()) || got > int(sent.Load())+callers {
				t.Errorf("got %d events; want the %d that were acknowledged", got, sent.Load())
			}
		})
	}
}

// TestNothingAcknowledgedIsLost sends while servers end and start again at
// random.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	for name, kind := range map[string]rpc.ClientType{"failover": rpc.Failover, "load balance": rpc.LoadBalance} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peers := []*peer{new(peer).start(t), new(peer).start(t)}
			opt := options(peers[0].addr, peers[1].addr)
			opt.Type = kind
			client := open(t, opt)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			restarted := make(chan int)
			go func() {
				n := 0
				for ; ctx.Err() == nil; n++ {
					p := peers[rand.N(len(peers))]
					p.stop()
					select {
					case <-ctx.Done():
					case <-time.After(rand.N(20 * time.Millisecond)):
					}
					p.start(t)
				}
				restarted <- n
			}()
			acknowledged := make(map[string]bool)
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Sprint(i)
				for ctx.Err() == nil {
					if client.AppendBatch(ctx, batchOf(body)) == nil {
						acknowledged[body] = true
						break
					}
				}
			}
			n := <-restarted
			for _, p := range peers {
				for _, body := range p.bodies() {
					delete(acknowledged, body)
				}
			}
			if len(acknowledged) > 0 || n < 5 {
				t.Errorf("%d restarts: %d acknowledged events are nowhere", n, len(acknowledged))
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*rpc.Options)
		want  string
	}{
		"no hosts":           {func(o *rpc.Options) { o.Hosts = nil }, "hosts: "},
		"no address":         {func(o *rpc.Options) { o.Addresses = nil }, "hosts has a, which has no address"},
		"no port":            {func(o *rpc.Options) { o.Addresses["a"] = "x" }, "hosts.a: "},
		"a port in words":    {func(o *rpc.Options) { o.Addresses["a"] = "x:avro" }, "hosts.a: "},
		"no host":            {func(o *rpc.Options) { o.Addresses["a"] = ":1" }, "hosts.a: "},
		"a level beyond 9":   {func(o *rpc.Options) { o.Level = 10 }, "compression-level is 10"},
		"negative attempts":  {func(o *rpc.Options) { o.MaxAttempts = -1 }, "max-attempts is -1"},
		"a negative backoff": {func(o *rpc.Options) { o.MaxBackoff = -1 }, "maxBackoff is "},
		"one to balance":     {func(o *rpc.Options) { o.Type = rpc.LoadBalance }, "at least two hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			opt := options("127.0.0.1:1")
			tt.spoil(opt)
			if err := opt.Validate(); err == nil && len(opt.Hosts) > 0 {
				t.Error("Validate finds nothing")
			}
			_, err := rpc.New(t.Context(), opt)
			if text := strings.Join(fault.Lines(err), "\n"); !strings.Contains(text, tt.want) || !strings.Contains(text, "\nhint: ") {
				t.Errorf("got %q; want %q and a hint", text, tt.want)
			}
		})
	}
	opt := options("127.0.0.1:1", "127.0.0.1:2")
	if got := opt.Warnings(); len(got) != 1 || !strings.HasPrefix(got[0].Error(), "hosts has 2 names") {
		t.Errorf("two hosts of a default client: got the warnings %q; want that one is not used", got)
	}
	opt.Type = rpc.Failover
	if got := opt.Warnings(); len(got) > 0 {
		t.Errorf("two hosts of a failover client: got the warnings %q", got)
	}
	var kind rpc.ClientType
	for text, want := range map[string]rpc.ClientType{
		"DEFAULT": rpc.Default, "default_failover": rpc.Failover, "org.apache.flume.api.LoadBalancingRpcClient": rpc.LoadBalance,
	} {
		if err := kind.UnmarshalText([]byte(text)); err != nil || kind != want {
			t.Errorf("%s: got %v, %v; want %v", text, kind, err, want)
		}
	}
	if err := kind.UnmarshalText([]byte("thrift")); err == nil {
		t.Error("thrift: got no error")
	}
}

// BenchmarkAppendBatch is events of 200 bytes from a client to a server, so many
// a request.
func BenchmarkAppendBatch(b *testing.B) {
	for _, compression := range []rpc.Compression{rpc.None, rpc.Deflate} {
		for _, n := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%v-%d", []string{"none", "deflate"}[compression], n), func(b *testing.B) {
				take := func(*event.Batch) error { return nil }
				p := (&peer{Server: rpc.Server{Compression: compression, Append: take}}).start(b)
				opt := options(p.addr)
				opt.BatchSize, opt.Compression = option.Int(n), compression
				client := open(b, opt)
				var batch event.Batch
				for range n {
					batch.Append(event.Event{Headers: event.NewHeaders("host", "a"), Body: bytes.Repeat([]byte("x"), 200)})
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := client.AppendBatch(b.Context(), &batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
