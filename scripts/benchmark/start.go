package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// observation is a figure that is not a rate.
type observation struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Bar   float64 `json:"bar"` // the value should be below it
}

// exampleConfiguration is Flume's first example.
const exampleConfiguration = `a1.sources = r1
a1.sinks = k1
a1.channels = c1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = %s
a1.sinks.k1.type = logger
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.channels.c1.transactionCapacity = 100
a1.sources.r1.channels = c1
a1.sinks.k1.channel = c1
`

func agentStart() flow {
	return flow{
		name:    "agent-start",
		does:    "fctl agent with netcat -> memory -> logger: from exec until a line sent as soon as the port accepts is printed",
		observe: observeStart,
	}
}

func observeStart(t *trial) ([]observation, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	events, err := t.startAndSend(func() (string, error) { return addr, t.agent(exampleConfiguration, addr) })
	if err != nil {
		return nil, err
	}
	took := time.Since(begin)
	defer events.Close()
	if err := t.interrupt(); err != nil {
		return nil, err
	}
	return []observation{{What: "fctl agent, start to first event", Value: took.Seconds() * 1000, Unit: "ms", Bar: 300}}, t.wait()
}

// startAndSend starts processes, of which the last prints events as the logger
// sink does, and sends a line to the address where the first listens. It
// returns when the event is printed, with what else they print, to be closed.
func (t *trial) startAndSend(start func() (addr string, err error)) (*os.File, error) {
	events, output, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	t.output = output
	addr, err := start()
	output.Close()
	if err == nil {
		err = t.sendFirst(addr)
	}
	if err == nil {
		err = awaitEvent(events)
	}
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return events, nil
}

// sendFirst sends one line as soon as addr accepts.
func (t *trial) sendFirst(addr string) error {
	var conn net.Conn
	err := t.await(addr+" to accept", func() bool {
		var err error
		conn, err = net.Dial("tcp", addr)
		return err == nil
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	if _, err := conn.Write([]byte("first\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "OK\n" {
		err = fmt.Errorf("the answer to the first line is %q", answer)
	}
	return err
}

// awaitEvent reads until the event has been printed.
func awaitEvent(events *os.File) error {
	events.SetReadDeadline(time.Now().Add(bound))
	for lines := bufio.NewReader(events); ; {
		text, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("waiting for the first event: %w", err)
		}
		if strings.Contains(text, "sink.LoggerSink: Event:") && strings.Contains(text, "first") {
			return nil
		}
	}
}
