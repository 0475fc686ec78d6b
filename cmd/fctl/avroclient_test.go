package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/rpc"
)

// TestAvroClientFillsRequests sends a file whose lines end where its reads do.
func TestAvroClientFillsRequests(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var requests []int
	server := rpc.Server{Append: func(b *event.Batch) error {
		requests = append(requests, b.Len())
		return nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()

	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte(strings.Repeat(strings.Repeat("x", 1023)+"\n", 250)), 0o644); err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	c := &avroClientCommand{Host: addr.IP.String(), Port: option.Int(addr.Port), Filename: file}
	if err := c.Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if want := []int{100, 100, 50}; !slices.Equal(requests, want) {
		t.Errorf("got requests of %d events; want %d", requests, want)
	}
}
