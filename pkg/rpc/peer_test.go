package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/rpc"
)

// bound is how long anything that must happen may take before a test fails.
const bound = 20 * time.Second

// peer is a server and what it has taken.
type peer struct {
	rpc.Server

	addr string
	stop func()

	mu       sync.Mutex
	requests [][]event.Event
	refusal  error
}

// start runs p until the test ends or stop is called, on its last address or a
// free port.
func (p *peer) start(t testing.TB) *peer {
	t.Helper()
	if p.addr == "" {
		p.addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(zerolog.New(zerolog.NewTestWriter(t)).WithContext(context.Background()))
	done := make(chan error, 1)
	if p.Append == nil {
		p.Append = p.take
	}
	go func() { done <- p.Serve(ctx, l) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *peer) take(b *event.Batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusal != nil {
		return p.refusal
	}
	var events []event.Event
	for e := range b.All() {
		events = append(events, e.Clone())
	}
	p.requests = append(p.requests, events)
	return nil
}

func (p *peer) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusal = err
}

// bodies returns the bodies of all events taken, in order.
func (p *peer) bodies() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var bodies []string
	for _, e := range slices.Concat(p.requests...) {
		bodies = append(bodies, string(e.Body))
	}
	return bodies
}

// options returns the options of a client of these servers.
func options(addrs ...string) *rpc.Options {
	opt := &rpc.Options{Addresses: make(map[string]string), Level: 6}
	for i, addr := range addrs {
		name := string(rune('a' + i))
		opt.Hosts = append(opt.Hosts, name)
		opt.Addresses[name] = addr
	}
	return opt
}

// open returns a client that lasts as long as the test.
func open(t testing.TB, opt *rpc.Options) rpc.Client {
	t.Helper()
	client, err := rpc.New(zerolog.New(zerolog.NewTestWriter(t)).WithContext(t.Context()), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func batchOf(bodies ...string) *event.Batch {
	var b event.Batch
	for _, body := range bodies {
		b.Append(event.Event{Body: []byte(body)})
	}
	return &b
}

// certificate makes a key with its certificate for 127.0.0.1 and returns the
// files of both together and of the certificate alone.
func certificate(t testing.TB) (keystore, truststore string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), public...)
	dir := t.TempDir()
	keystore, truststore = filepath.Join(dir, "key.pem"), filepath.Join(dir, "trust.pem")
	if err := os.WriteFile(keystore, both, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(truststore, public, 0o644); err != nil {
		t.Fatal(err)
	}
	return keystore, truststore
}
