package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const fileRoll = "fsink file_roll out --sink.rollInterval 0 --sink.batchSize 1000"

func netcatPipe() flow {
	return flow{
		name:       "netcat-pipe",
		does:       "fsrc netcat :0 | fsink file_roll out, one connection, all OKs read",
		durability: inKernel,
		events:     2_000_000,
		measure:    func(t *trial) error { return t.toFiles("netcat", t.sendAll, fileRoll) },
	}
}

func netcatMemory() flow {
	return flow{
		name:       "netcat-memory",
		does:       "fsrc netcat :0 | fchan memory | fsink file_roll out, one connection, all OKs read",
		durability: inMemory,
		events:     2_000_000,
		measure:    func(t *trial) error { return t.toFiles("netcat", t.sendAll, memoryChannel, fileRoll) },
	}
}

// toFiles measures a pipeline that begins with a source that listens, from the
// first byte that send sends until all is answered and in the file.
func (t *trial) toFiles(source string, send func(addr string) error, rest ...string) error {
	addr, err := t.listening(source, rest...)
	if err != nil {
		return err
	}
	if err := t.sendIntoFiles(addr, send); err != nil {
		return err
	}
	if err := t.interrupt(); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	return checkLines(t.out, t.n)
}

// netcat starts a pipeline that begins with a netcat source and returns where
// that listens.
func (t *trial) netcat(rest ...string) (string, error) { return t.listening("netcat", rest...) }

// listening starts a pipeline that begins with a source that listens and returns
// where.
func (t *trial) listening(source string, rest ...string) (string, error) {
	err := t.pipe(nil, append([]string{"fsrc " + source + " 127.0.0.1:0 --ready-file ready"}, rest...)...)
	if err != nil {
		return "", err
	}
	ready := filepath.Join(t.dir, "ready")
	if err := t.await("the source to listen", func() bool { return exists(ready) }); err != nil {
		return "", err
	}
	addr, err := os.ReadFile(ready)
	return strings.TrimSpace(string(addr)), errors.Join(err, os.Remove(ready))
}

func (t *trial) sendIntoFiles(addr string, send func(addr string) error) error {
	begin := time.Now()
	if err := send(addr); err != nil {
		return err
	}
	want := int64(t.n) * (bodySize + 1)
	if err := t.await("the events to be in the file", func() bool { return size(t.out) >= want }); err != nil {
		return fmt.Errorf("%w: %d bytes of %d are there", err, size(t.out), want)
	}
	t.found.Events, t.found.Elapsed = t.n, time.Since(begin)
	return nil
}

// netcatAgent is the flow of netcatMemory from a configuration.
func netcatAgent() flow {
	return flow{
		name:       "netcat-agent",
		does:       "fctl agent: netcat -> memory -> file_roll, one connection, all OKs read",
		durability: inMemory,
		events:     2_000_000,
		measure:    agentToFiles,
	}
}

const agentConfiguration = `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = %s
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.channels.c1.transactionCapacity = 10000
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.batchSize = 1000
a1.sinks.k1.channel = c1
`

func agentToFiles(t *trial) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	if err := t.agent(agentConfiguration, addr); err != nil {
		return err
	}
	if err := t.await("the agent to listen", func() bool { return accepts(addr) }); err != nil {
		return err
	}
	if err := t.sendIntoFiles(addr, t.sendAll); err != nil {
		return err
	}
	if err := t.interrupt(); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	return checkLines(t.out, t.n)
}

// agent starts agent a1 of a configuration with the port of addr.
func (t *trial) agent(configuration, addr string) error {
	file := filepath.Join(t.dir, "agent.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, port(addr)), 0o644); err != nil {
		return err
	}
	return t.pipe(nil, "fctl agent --name a1 --conf-file agent.conf")
}

// freeAddress returns an address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func accepts(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
