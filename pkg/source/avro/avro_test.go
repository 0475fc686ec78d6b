package avro_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/rpc"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/avro"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
)

// options returns the defaults, on a free port.
func options() *avro.Options {
	return &avro.Options{Bind: "127.0.0.1", MaxRequest: 1 << 20, MaxConnections: 1024}
}

func client(t testing.TB, addr net.Addr) rpc.Client {
	c, err := rpc.New(t.Context(), &rpc.Options{
		Hosts: []string{"h1"}, Addresses: map[string]string{"h1": addr.String()}, BatchSize: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPromises(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New: func(*testing.T, []string) source.Options { return options() },
		Send: func(t *testing.T, addr net.Addr, bodies []string) []error {
			c := client(t, addr)
			defer c.Close()
			answers := make([]error, len(bodies))
			for i, body := range bodies {
				answers[i] = c.Append(t.Context(), event.Event{Body: []byte(body)})
			}
			return answers
		},
		Refused: map[string]func(*testing.T) source.Options{
			"port": func(t *testing.T) source.Options {
				opt := options()
				opt.Port = option.Int(sourcetest.TakenPort(t))
				return opt
			},
			"bind": func(*testing.T) source.Options {
				opt := options()
				opt.Bind = "192.0.2.1" // TEST-NET: nobody's
				return opt
			},
			"keystore": func(*testing.T) source.Options {
				opt := options()
				opt.TLS.Enabled, opt.TLS.Keystore = true, "/nowhere"
				return opt
			},
		},
	})
}

func batchOf(n int) (*event.Batch, []string) {
	var b event.Batch
	var bodies []string
	for i := range n {
		bodies = append(bodies, fmt.Sprint(i))
		b.Append(event.Event{Body: []byte(bodies[i])})
	}
	return &b, bodies
}

func TestRequestLargerThanATransaction(t *testing.T) {
	put := sourcetest.Collector{Max: 30}
	c := client(t, sourcetest.Listen(t, options(), &put))
	defer c.Close()
	batch, want := batchOf(100)
	if err := c.AppendBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if got := put.Bodies(); !slices.Equal(got, want) || len(put.Batches()) != 4 {
		t.Errorf("got %q in %d transactions; want all, in 4", got, len(put.Batches()))
	}
}

func TestManyClients(t *testing.T) {
	var put sourcetest.Collector
	addr := sourcetest.Listen(t, options(), &put)
	const clients, calls, size = 50, 10, 7
	errs := make(chan error, clients)
	for range clients {
		go func() {
			c := client(t, addr)
			defer c.Close()
			batch, _ := batchOf(size)
			var err error
			for range calls {
				if err == nil {
					err = c.AppendBatch(t.Context(), batch)
				}
			}
			errs <- err
		}()
	}
	for range clients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got, want := len(put.Bodies()), clients*calls*size; got != want {
		t.Errorf("got %d events; want %d", got, want)
	}
}

func TestRequestTooLarge(t *testing.T) {
	opt := options()
	opt.MaxRequest = 100
	var put sourcetest.Collector
	c := client(t, sourcetest.Listen(t, opt, &put))
	defer c.Close()
	batch, _ := batchOf(100)
	if err := c.AppendBatch(t.Context(), batch); err == nil {
		t.Error("got no error; want a closed connection")
	}
	if got := put.Bodies(); len(got) > 0 {
		t.Errorf("got %q; want nothing", got)
	}
}

func TestIPFilter(t *testing.T) {
	for rules, admitted := range map[string]bool{
		"allow:ip:127.0.0.1,deny:ip:*":         true,
		"allow:ip:127.*,deny:ip:*":             true,
		"deny:ip:127.0.0.?":                    false,
		"deny:ip:127.0.0":                      true,
		"allow:name:localhost,deny:ip:*":       true,
		" deny:name:localhost , allow:ip:*":    false,
		"deny:ip:10.*":                         true, // none fits
		"deny:ip:127.0.0.1,allow:ip:127.0.0.1": false,
		"deny:ip:[0-9]*":                       false, // a regular expression, as in Flume
		"deny:ip:127.0.0.[2-9]":                true,
		"deny:ip:(10|127).*":                   false,
		"deny:ip:10.*|192.*":                   true,
		"deny:ip:1270001":                      true, // a dot is one
		"allow:ip:127.*,deny:ip:*,":            true, // as Java splits it
		"deny:ip:*,, ":                         false,
	} {
		t.Run(rules, func(t *testing.T) {
			opt := options()
			opt.FilterIP, opt.Rules = true, rules
			if err := opt.Validate(); err != nil {
				t.Fatal(err)
			}
			var put sourcetest.Collector
			c := client(t, sourcetest.Listen(t, opt, &put))
			defer c.Close()
			batch, _ := batchOf(1)
			if err := c.AppendBatch(t.Context(), batch); (err == nil) != admitted {
				t.Errorf("got %v; want it admitted: %v", err, admitted)
			}
		})
	}
}

func TestIPFilterOfIPv6(t *testing.T) {
	for rules, admitted := range map[string]bool{
		"deny:ip:::1":                       false,
		"deny:ip:0:0:0:0:0:0:0:1":           false, // as Java writes it
		"allow:ip:0:0:0:0:*,deny:ip:*":      true,
		"deny:ip:::2,deny:ip:0:0:0:0:0:0:1": true,
		"deny:name:localhost":               false,
	} {
		t.Run(rules, func(t *testing.T) {
			opt := options()
			opt.Bind, opt.FilterIP, opt.Rules = "::1", true, rules
			if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
				t.Skip("there is no IPv6 here")
			} else {
				l.Close()
			}
			c := client(t, sourcetest.Listen(t, opt, new(sourcetest.Collector)))
			defer c.Close()
			batch, _ := batchOf(1)
			if err := c.AppendBatch(t.Context(), batch); (err == nil) != admitted {
				t.Errorf("got %v; want it admitted: %v", err, admitted)
			}
		})
	}
}

func TestStopClosesIdleConnections(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src, err := options().Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, &sourcetest.Collector{}) }()
	conn := sourcetest.Dial(t, src.(source.Addresser).Addr())
	conn.Write([]byte{0, 0, 0, 1}) // the beginning of a frame
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("got %d bytes; want a closed connection", n)
	}
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct{ word, bind, port string }{
		{":4141", "0.0.0.0", "4141"},
		{"4141", "0.0.0.0", "4141"},
		{"localhost:1", "localhost", "1"},
		{"[::1]:4141", "::1", "4141"},
		{"a:b:c", "", ""},
	} {
		got, err := avro.Spec.Target.Properties(tt.word)
		if (err != nil) != (tt.port == "") || got["bind"] != tt.bind || got["port"] != tt.port {
			t.Errorf("%s: got %v, %v; want %s, %s", tt.word, got, err, tt.bind, tt.port)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := options().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for name, tt := range map[string]struct {
		spoil func(*avro.Options)
		want  string
	}{
		"port":            {func(o *avro.Options) { o.Port = 65536 }, "port is "},
		"request size":    {func(o *avro.Options) { o.MaxRequest = 2 << 30 }, "max-request-size is "},
		"max-connections": {func(o *avro.Options) { o.MaxConnections = 0 }, "max-connections is "},
		"no rules":        {func(o *avro.Options) { o.FilterIP = true }, "ipFilterRules is not defined"},
		"commas alone":    {func(o *avro.Options) { o.FilterIP, o.Rules = true, " , " }, `invalid ipFilter patternRule ""`},
		"an empty rule":   {func(o *avro.Options) { o.FilterIP, o.Rules = true, "allow:ip:*,,deny:ip:*" }, `invalid ipFilter patternRule ""`},
		"no pattern":      {func(o *avro.Options) { o.FilterIP, o.Rules = true, "allow:ip:" }, `ipFilterRules: the pattern of "allow:ip:": it fits no`},
		"a prefix length": {func(o *avro.Options) { o.FilterIP, o.Rules = true, "deny:ip:10.0.0.0/8" }, `the pattern of "deny:ip:10.0.0.0/8": it fits no`},
		"a blank":         {func(o *avro.Options) { o.FilterIP, o.Rules = true, "deny:ip: 10.*" }, `the pattern of "deny:ip: 10.*": it fits no`},
		"open brackets":   {func(o *avro.Options) { o.FilterIP, o.Rules = true, "deny:ip:10.[.*" }, `the pattern of "deny:ip:10.[.*": `},
		"half a rule":     {func(o *avro.Options) { o.FilterIP, o.Rules = true, "allow:ip" }, `invalid ipFilter patternRule "allow:ip"`},
		"a strange rule":  {func(o *avro.Options) { o.FilterIP, o.Rules = true, "allow:ip:*,permit:ip:*" }, `patternRule "permit:ip:*"`},
	} {
		opt := options()
		tt.spoil(opt)
		if text := strings.Join(fault.Lines(opt.Validate()), "\n"); !strings.Contains(text, tt.want) || !strings.Contains(text, "\nhint: ") {
			t.Errorf("%s: got %q; want %q and a hint", name, text, tt.want)
		}
	}
}
