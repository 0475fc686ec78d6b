package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// agentSource begins the configuration of agents, which is the same for Flume's.
// They read a named pipe, so that it is known when they are up.
const agentSource = `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = exec
a1.sources.r1.command = cat lines
a1.sources.r1.batchSize = BATCH
a1.sources.r1.channels = c1
a1.sinks.k1.channel = c1
`

// avroTiers is agent a1, which sends to agent a2.
const avroTiers = agentSource + `a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = avro
a1.sinks.k1.hostname = 127.0.0.1
a1.sinks.k1.port = PORT
a1.sinks.k1.batch-size = BATCH

a2.sources = r1
a2.channels = c1
a2.sinks = k1
a2.sources.r1.type = avro
a2.sources.r1.bind = 127.0.0.1
a2.sources.r1.port = PORT
a2.sources.r1.channels = c1
a2.channels.c1.type = memory
a2.channels.c1.capacity = 100000
a2.channels.c1.transactionCapacity = 1000
a2.sinks.k1.type = file_roll
a2.sinks.k1.sink.directory = out
a2.sinks.k1.sink.rollInterval = 0
a2.sinks.k1.sink.batchSize = BATCH
a2.sinks.k1.channel = c1
`

// starter starts the agent of that name of agent.conf.
type starter func(t *trial, name string) error

func ourAgent(t *trial, name string) error {
	return t.pipe(nil, "fctl agent --conf-file agent.conf --name "+name)
}

func flumeAgent(t *trial, name string) error {
	return t.pipe(nil, "java -Xmx1g -Dorg.slf4j.simpleLogger.defaultLogLevel=warn"+
		" org.apache.flume.node.Application --no-reload-conf --conf-file agent.conf --name "+name)
}

// besideFlume is the same by Flume's agents.
func besideFlume(measure func(*trial, starter) error) *reference {
	return &reference{
		name: "Flume 1.11", bar: 3, perCPU: 3, flume: true,
		measure: func(t *trial) error { return measure(t, flumeAgent) },
	}
}

// avroAgents is a hop by Avro RPC from one agent to another.
func avroAgents(batch int) flow {
	measure := func(t *trial, start starter) error { return t.avroTiers(batch, start) }
	return flow{
		name:       fmt.Sprintf("avro-agents-%d", batch),
		does:       fmt.Sprintf("fctl agent: exec cat -> memory -> avro => fctl agent: avro -> memory -> file_roll, %d a batch", batch),
		durability: inMemory,
		events:     1_000_000,
		measure:    func(t *trial) error { return measure(t, ourAgent) },
		beside:     besideFlume(measure),
	}
}

func (t *trial) avroTiers(batch int, start starter) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	if err := t.configure(avroTiers, "PORT", port(addr), "BATCH", fmt.Sprint(batch)); err != nil {
		return err
	}
	if err := start(t, "a2"); err != nil {
		return err
	}
	if err := t.await("agent a2 to listen", func() bool { return accepts(addr) }); err != nil {
		return err
	}
	if err := start(t, "a1"); err != nil {
		return err
	}
	if err := t.feedUntil(filepath.Join(t.out, "*")); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	return checkLines(t.out, t.n)
}

// configure writes agent.conf, with words replaced, and makes the named pipe.
func (t *trial) configure(configuration string, words ...string) error {
	text := strings.NewReplacer(words...).Replace(configuration)
	return errors.Join(
		os.WriteFile(filepath.Join(t.dir, "agent.conf"), []byte(text), 0o644),
		syscall.Mkfifo(filepath.Join(t.dir, "lines"), 0o600))
}

// feedUntil writes the input into the named pipe, waits until the last line is at
// the end of a file of that pattern, and asks the agents to end. A fifth of the
// events goes before the others and is not in the figures, so that a JVM's start
// and first compilations are not in them either.
func (t *trial) feedUntil(pattern string) error {
	lines, err := t.firstLines()
	if err != nil {
		return err
	}
	defer lines.Close()
	var pipe *os.File
	err = t.await("an agent to read its input", func() bool {
		pipe, err = os.OpenFile(filepath.Join(t.dir, "lines"), os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	})
	if err != nil {
		return err
	}
	defer context.AfterFunc(t.ctx, func() { pipe.Close() })()
	pass := func(from, to int) error {
		if _, err := io.CopyN(pipe, lines, int64(to-from)*(bodySize+1)); err != nil {
			return fmt.Errorf("writing the input: %w", err)
		}
		last := line(nil, to-1)
		return t.await(fmt.Sprintf("line %d to be in %s", to-1, pattern), func() bool { return endsWith(pattern, last) })
	}
	const whole = 1000 // lines that no agent waits for others to make a batch of
	first := t.n / 5 / whole * whole
	if first > 0 {
		if err := pass(0, first); err != nil {
			return err
		}
	}
	t.spent = t.cpuSoFar()
	begin := time.Now()
	if err := pass(first, t.n); err != nil {
		return err
	}
	t.found.Events, t.found.Elapsed = t.n-first, time.Since(begin)
	if err := pipe.Close(); err != nil {
		return err
	}
	for _, p := range t.procs {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
	}
	return nil
}

// endsWith reports whether the end of a file of that pattern has those bytes.
func endsWith(pattern string, want []byte) bool {
	paths, _ := filepath.Glob(pattern)
	end := make([]byte, 4<<10)
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			continue // renamed just now
		}
		size, err := file.Seek(0, io.SeekEnd)
		n := 0
		if err == nil {
			n, _ = file.ReadAt(end, max(0, size-int64(len(end))))
		}
		file.Close()
		if bytes.Contains(end[:n], want) {
			return true
		}
	}
	return false
}
