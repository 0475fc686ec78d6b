package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"
)

// capacity bounds what a killed path has to deliver in the end, and has writers
// wait for room at times.
const capacity = "20000"

// add adds a line to the run.
func (t *torture) add(name string, writes bool, commands func(life int, finish bool) [][]string) *line {
	l := &line{name: name, writes: writes, commands: commands}
	l.log = func(stage int) string { return t.in("log", fmt.Sprintf("%s.%d", name, stage)) }
	t.lines = append(t.lines, l)
	return l
}

func (t *torture) writer(name string, life int, finish bool) []string {
	return t.role("write", name, life, fmt.Sprintf("--finish=%v", finish))
}

// put adds writer | fchan put DIR.
func (t *torture) put(writer, channel string) *line {
	return t.add(writer, true, func(life int, finish bool) [][]string {
		return [][]string{t.writer(writer, life, finish), t.command("fchan", "put", t.in(channel), "--capacity", capacity)}
	})
}

// take adds fchan take DIR | reader.
func (t *torture) take(channel, reader string) *line {
	return t.add(reader, false, func(life int, _ bool) [][]string {
		return [][]string{t.command("fchan", "take", t.in(channel), "--capacity", capacity), t.role("check", reader, life)}
	})
}

// filter adds writer | fchan file DIR | reader.
func (t *torture) filter(writer, channel, reader string) *line {
	l := t.add(writer+"-"+reader, true, func(life int, finish bool) [][]string {
		return [][]string{
			t.writer(writer, life, finish),
			t.command("fchan", "file", t.in(channel), "--capacity", capacity),
			t.role("check", reader, life),
		}
	})
	l.endless = true
	return l
}

const agentConfiguration = `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = %s
a1.sources.r1.max-line-length = 2000000
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.dir = %s
a1.channels.c1.capacity = %s
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = %s
a1.sinks.k1.sink.rollInterval = 2
a1.sinks.k1.channel = c1
`

// agent adds fctl agent and two senders to its source.
func (t *torture) agent() (agent *line, senders []*line, err error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	conf := fmt.Appendf(nil, agentConfiguration, port, t.in("agent"), capacity, t.in("out"))
	if err := errors.Join(os.Mkdir(t.in("out"), 0o755), os.WriteFile(t.in("agent.conf"), conf, 0o644)); err != nil {
		return nil, nil, err
	}
	agent = t.add("fctl", false, func(int, bool) [][]string {
		return [][]string{{t.bin + "/fctl", "agent", "--name", "a1", "--conf-file", t.in("agent.conf")}}
	})
	for _, name := range []string{"a1", "a2"} {
		senders = append(senders, t.add(name, true, func(life int, finish bool) [][]string {
			return [][]string{t.role("send", name, life, "--addr", addr, fmt.Sprintf("--finish=%v", finish))}
		}))
	}
	return agent, senders, nil
}

// freeAddress returns an address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// killProcesses is the run without damage.
func (t *torture) killProcesses(ctx context.Context, out io.Writer) error {
	t.filter("s1", "shared", "shared-r1")
	writers := []*line{t.put("s2", "shared"), t.put("s3", "shared"), t.put("o1", "single"), t.put("o2", "single")}
	readers := []*line{t.take("shared", "shared-r2"), t.take("shared", "shared-r3"), t.take("single", "single-r1")}
	filter := t.lines[0]
	agent, senders, err := t.agent()
	if err != nil {
		return err
	}
	files := &rolled{dir: t.in("out"), to: t.in("received", "agent-r1"), bodies: newBodies(t.seed, true)}

	begin := time.Now()
	all, end := context.WithCancel(ctx)
	defer func() {
		end() // kills whoever is left
		for _, l := range t.lines {
			<-l.done
		}
	}()
	for _, l := range t.lines {
		l.begin(all)
	}
	for ctx.Err() == nil && time.Since(begin) < t.duration {
		t.pause(ctx, t.every)
		t.killOne(agent)
		if err := files.read(false); err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx) // interrupted, it is drained all the same
	took := time.Since(begin)

	for _, l := range [...][]*line{writers, senders, {filter}, readers, {agent}} {
		err = errors.Join(err, stopAll(ctx, l))
	}
	for _, channel := range []string{"shared", "single", "agent"} {
		err = errors.Join(err, t.drain(ctx, t.dir, channel, channel+"-rest"))
	}
	if err = errors.Join(err, files.read(true)); err != nil {
		return err
	}
	book, err := t.account()
	if err != nil {
		return err
	}
	book.cut = files.cut
	return book.print(out, t, took)
}

func stopAll(ctx context.Context, lines []*line) (all error) {
	stopped := make(chan error)
	for _, l := range lines {
		go func() { stopped <- l.stop(ctx) }()
	}
	for range lines {
		all = errors.Join(all, <-stopped)
	}
	return all
}

// killOne kills a process, or now and then a whole line.
func (t *torture) killOne(agent *line) {
	l := t.lines[t.decide.IntN(len(t.lines))]
	stage, whole := t.decide.IntN(4), t.decide.IntN(10) == 0
	switch {
	case whole:
		t.kills += l.kill(0, 1, 2)
	case l == agent && stage > 0:
		t.kills += l.killChild(stage - 1)
	default:
		l.mu.Lock()
		stages := max(1, len(l.procs))
		l.mu.Unlock()
		t.kills += l.kill(stage % stages)
	}
}

// drain delivers what a channel in dir still holds to a reader that notes it in dir.
func (t *torture) drain(ctx context.Context, dir, channel, reader string) error {
	l := &line{name: reader, commands: func(life int, _ bool) [][]string {
		return [][]string{
			t.command("fchan", "take", filepath.Join(dir, channel), "--once"),
			t.role("check", reader, life, "--dir", dir),
		}
	}}
	l.log = func(stage int) string { return t.in("log", fmt.Sprintf("%s.%d", reader, stage)) }
	if err := l.once(ctx); err != nil {
		said, _ := os.ReadFile(l.log(0))
		return fmt.Errorf("draining %s: %w; it said %q", channel, err, said[max(0, len(said)-2000):])
	}
	return nil
}
