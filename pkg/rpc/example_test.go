package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/rpc"
)

// serve runs a server until the function that it returns is called.
func serve(appendBatch func(*event.Batch) error) (address string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	server := &rpc.Server{Append: appendBatch}
	go func() { done <- server.Serve(ctx, l) }()
	return l.Addr().String(), func() { cancel(); <-done }
}

func ExampleNew() {
	collector, stop := serve(func(b *event.Batch) error {
		for e := range b.All() {
			host, _ := e.Headers.Get("host")
			fmt.Printf("%s: %s\n", host, e.Body)
		}
		return nil
	})
	defer stop()

	ctx := context.Background()
	client, err := rpc.New(ctx, &rpc.Options{
		Hosts:     []string{"h1"},
		Addresses: map[string]string{"h1": collector},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	var batch event.Batch
	for _, line := range []string{"Scala", "Haskell"} {
		batch.Append(event.Event{Headers: event.NewHeaders("host", "web1"), Body: []byte(line)})
	}
	if err := client.AppendBatch(ctx, &batch); err != nil {
		fmt.Println(err)
	}
	// Output:
	// web1: Scala
	// web1: Haskell
}

// With several hosts a client goes on with the next when one fails.
func ExampleNew_failover() {
	first, stop := serve(func(*event.Batch) error { return nil })
	stop() // it is not there
	second, stop := serve(func(*event.Batch) error { fmt.Println("the second has it"); return nil })
	defer stop()

	ctx := context.Background()
	client, err := rpc.New(ctx, &rpc.Options{
		Type:      rpc.Failover,
		Hosts:     []string{"h1", "h2"},
		Addresses: map[string]string{"h1": first, "h2": second},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if err := client.Append(ctx, event.Event{Body: []byte("Scala")}); err != nil {
		fmt.Println(err)
	}
	// Output: the second has it
}

// A server that does not take the events now is told from one that is not there.
func ExampleStatusError() {
	full, stop := serve(func(*event.Batch) error { return errors.New("the channel is full") })
	defer stop()

	ctx := context.Background()
	client, err := rpc.New(ctx, &rpc.Options{
		Hosts:     []string{"h1"},
		Addresses: map[string]string{"h1": full},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	var refused *rpc.StatusError
	switch err := client.Append(ctx, event.Event{Body: []byte("Scala")}); {
	case err == nil:
		fmt.Println("committed")
	case errors.As(err, &refused):
		fmt.Println("refused:", refused.Status)
	default:
		fmt.Println("not sent, or not answered:", err)
	}
	// Output: refused: FAILED
}

func ExampleServer() {
	l, err := net.Listen("tcp", "127.0.0.1:0") // :4141, most often
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	server := &rpc.Server{Append: func(b *event.Batch) error {
		fmt.Println(b.Len(), "events") // store them before nil says so
		return nil
	}}
	served := make(chan error)
	go func() { served <- server.Serve(ctx, l) }()

	client, err := rpc.New(ctx, &rpc.Options{Hosts: []string{"h1"}, Addresses: map[string]string{"h1": l.Addr().String()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if err := client.Append(ctx, event.Event{Body: []byte("Scala")}); err != nil {
		fmt.Println(err)
	}
	stop()
	fmt.Println(<-served)
	// Output:
	// 1 events
	// <nil>
}
