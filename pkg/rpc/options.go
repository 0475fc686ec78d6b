package rpc

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/tlsconf"
)

// Options are a client's properties, by Flume's names. Of the zero value only
// Hosts and Addresses have to be set; but where a property's default is 6, a
// Level of 0 does not compress.
type Options struct {
	Type      ClientType        `name:"client.type" default:"default" placeholder:"TYPE" help:"How several hosts are used: default (the first alone), default_failover (the next when one fails) or default_loadbalance (all in turn)."`
	Hosts     []string          `name:"hosts" sep:" " placeholder:"NAMES" help:"Names of the hosts, in order."`
	Addresses map[string]string `name:"hosts.<name>" placeholder:"HOST:PORT" help:"Address of a host."`

	BatchSize      option.Int    `name:"batch-size" default:"100" help:"Most events in one request."`
	ConnectTimeout option.Millis `name:"connect-timeout" default:"20000" help:"How long to wait for a connection. Less than a second is the default, as in Flume."`
	RequestTimeout option.Millis `name:"request-timeout" default:"20000" help:"How long to wait for the answer to a request. Less than a second is the default, as in Flume."`

	MaxAttempts option.Int    `name:"max-attempts" default:"0" help:"default_failover: how many hosts to try before a call fails; 0 is each of them once."`
	Selector    HostSelector  `name:"host-selector" default:"round_robin" placeholder:"ORDER" help:"default_loadbalance: which host is next, round_robin or random."`
	Backoff     option.Bool   `name:"backoff" default:"false" help:"default_loadbalance: leave a host that failed alone for a while, twice as long every time."`
	MaxBackoff  option.Millis `name:"maxBackoff" default:"30000" help:"default_loadbalance: the longest such while; 0 is the default."`

	Compression Compression      `name:"compression-type" default:"none" placeholder:"TYPE" help:"none or deflate. Both ends must agree."`
	Level       option.Int       `name:"compression-level" default:"6" help:"From 0, none, to 9, the best."`
	Order       CompressionOrder `name:"compression-order" default:"outside" placeholder:"ORDER" help:"With both ssl and deflate: outside is TLS in a compressed stream, as in Flume 1.10 and 1.11; inside is a compressed stream in TLS, as in Flume up to 1.9, and compresses better."`
	MaxWorkers  string           `name:"maxIoWorkers" notice:"a connection needs no workers here, nor in Flume 1.11"`
	TLS         tlsconf.Client   `embed:"" group:"TLS"`
}

// What Flume takes for a value that is missing or senseless.
const (
	defaultBatchSize  = 100
	defaultTimeout    = 20 * time.Second
	leastTimeout      = time.Second
	defaultMaxBackoff = 30 * time.Second
)

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	switch {
	case o.Level < 0 || o.Level > 9:
		return fault.Hint(fmt.Errorf("compression-level is %d", o.Level), "it must be from 0 to 9; the default is 6")
	case o.MaxAttempts < 0:
		return fault.Hint(fmt.Errorf("max-attempts is %d", o.MaxAttempts), "it must be 1 or more, or 0 for as many as there are hosts")
	case o.MaxBackoff < 0:
		return fault.Hint(fmt.Errorf("maxBackoff is %v", o.MaxBackoff), "it must be 0 or more; the default is 30000")
	case o.Type == LoadBalance && len(o.names()) < 2:
		err := fmt.Errorf("hosts: at least two hosts are required to use the load balancing RPC client")
		return fault.Hint(err, "name them: hosts = h1 h2, hosts.h1 = HOST:PORT, hosts.h2 = HOST:PORT")
	case len(o.names()) == 0:
		return nil // they may be named elsewhere, as the host of an avro sink is
	}
	_, err := o.servers()
	return err
}

// Warnings returns what of the values has no effect.
func (o *Options) Warnings() []error {
	names := o.names()
	if o.Type != Default || len(names) < 2 {
		return nil
	}
	err := fmt.Errorf("hosts has %d names, and the default client uses %s alone", len(names), names[0])
	return []error{fault.Hint(err, "set client.type = default_failover, or default_loadbalance")}
}

// MaxEvents returns the most events in one request: batch-size, or the default
// if that is not a size.
func (o *Options) MaxEvents() int {
	if o.BatchSize < 1 {
		return defaultBatchSize
	}
	return int(o.BatchSize)
}

// timeout returns what a time-out property stands for.
func timeout(t option.Millis) time.Duration {
	if t.Duration() < leastTimeout {
		return defaultTimeout
	}
	return t.Duration()
}

// names returns the names of the hosts.
func (o *Options) names() []string {
	return slices.DeleteFunc(slices.Clone(o.Hosts), func(name string) bool { return name == "" })
}

// servers returns the addresses of the hosts in order.
//
// Flume: a host without an address is passed over by the failover and the
// load-balancing client, and an address of IPv6 is not understood.
func (o *Options) servers() ([]string, error) {
	names := o.names()
	if len(names) == 0 {
		return nil, fault.Hint(fmt.Errorf("hosts: there are none"), "write hosts = h1 and hosts.h1 = HOST:PORT")
	}
	var servers []string
	for _, name := range names {
		key := "hosts." + name
		address := strings.TrimSpace(o.Addresses[name])
		if address == "" {
			return nil, fault.Hint(fmt.Errorf("hosts has %s, which has no address", name), "set %s = HOST:PORT", key)
		}
		host, port, err := net.SplitHostPort(address)
		if err == nil && host == "" {
			err = fmt.Errorf("no host in it")
		}
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return nil, fault.Hint(fmt.Errorf("%s: %q is not HOST:PORT", key, address), "write collector:4141 or [::1]:4141")
		}
		servers = append(servers, address)
	}
	if o.Type == Default {
		servers = servers[:1]
	}
	return servers, nil
}

// ClientType says how a client uses several hosts.
type ClientType int

// Client types by Flume's names: default, default_failover and
// default_loadbalance.
const (
	Default ClientType = iota
	Failover
	LoadBalance
)

// UnmarshalText reads Flume's name of a type, or its class.
func (t *ClientType) UnmarshalText(text []byte) error {
	types := []string{"default", "default_failover", "default_loadbalance"}
	classes := []string{"NettyAvroRpcClient", "FailoverRpcClient", "LoadBalancingRpcClient"}
	for i := range types {
		if strings.EqualFold(types[i], string(text)) || string(text) == "org.apache.flume.api."+classes[i] {
			*t = ClientType(i)
			return nil
		}
	}
	return fault.Hint(fmt.Errorf("%q is not a type of Avro client", text), "write %s", strings.Join(types, ", "))
}

// HostSelector says which host a load-balancing client tries next.
type HostSelector int

// Selectors by Flume's names: round_robin and random.
const (
	RoundRobin HostSelector = iota
	Random
)

// UnmarshalText reads Flume's name of a selector.
func (s *HostSelector) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "round_robin":
		*s = RoundRobin
	case "random":
		*s = Random
	default:
		return fault.Hint(fmt.Errorf("%q is not a host selector", text), "write round_robin or random")
	}
	return nil
}

// Compression says how a connection's bytes are compressed.
type Compression int

// Kinds of compression by Flume's names: none and deflate.
const (
	None Compression = iota
	Deflate
)

// UnmarshalText reads none or deflate.
//
// Flume: takes any other word as none.
func (c *Compression) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "none":
		*c = None
	case "deflate":
		*c = Deflate
	default:
		return fault.Hint(fmt.Errorf("%q is not a compression type", text), "write none or deflate")
	}
	return nil
}

// CompressionOrder says which of compression and TLS is within the other.
type CompressionOrder int

const (
	// Outside: TLS within a compressed stream.
	Outside CompressionOrder = iota
	// Inside: a compressed stream within TLS.
	Inside
)

// UnmarshalText reads outside or inside.
func (o *CompressionOrder) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "outside":
		*o = Outside
	case "inside":
		*o = Inside
	default:
		return fault.Hint(fmt.Errorf("%q is not an order of compression and TLS", text), "write outside, as Flume 1.11 has it, or inside, as Flume 1.9")
	}
	return nil
}
