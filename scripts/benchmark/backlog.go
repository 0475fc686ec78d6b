package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// roomy is the property of channels that hold as much as there is.
const roomy = " --capacity 1000000000"

// drain measures how fast a backlog is taken, and with how much memory; that it was
// put is not in the figures.
func drain() flow {
	return flow{
		name:       "drain",
		does:       "fchan take DIR --once | fsink null, what fsrc stdin | fchan put DIR has put by 1000",
		durability: inSink,
		events:     1_000_000,
		measure:    drainBacklog,
	}
}

func drainBacklog(t *trial) error {
	lines, err := t.firstLines()
	if err != nil {
		return err
	}
	defer lines.Close()
	if err := t.pipe(lines, "fsrc stdin --once --batchSize 1000", "fchan put store"+roomy); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	t.forget()
	begin := time.Now()
	if err := t.pipe(nil, "fchan take store --once"+roomy, "fsink null --once --batchSize 1000"); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	t.found.Events, t.found.Elapsed = t.n, time.Since(begin)
	return t.deliveredAll(t.n)
}

// forget leaves the processes so far, which have ended, out of the figures.
func (t *trial) forget() {
	t.memory.stop()
	t.memory = watchMemory()
	t.procs = nil
}

// backlogLine is the size of the events in a backlog that a channel starts with.
const backlogLine = 10_000

// backlogStart measures how soon a channel that holds much takes more.
func backlogStart() flow {
	return flow{
		name:    "start-backlog",
		does:    "fchan file DIR --listen: from exec to the first put that is committed, with as many bytes held as --backlog says, after a clean stop and after kill -9",
		observe: observeBacklog,
	}
}

func observeBacklog(t *trial) (found []observation, err error) {
	if err := t.fill(t.backlog); err != nil {
		return nil, err
	}
	for _, before := range []string{"a clean stop", "kill -9"} {
		took, err := t.startAndPut()
		if err != nil {
			return nil, err
		}
		found = append(found, observation{
			What:  fmt.Sprintf("file channel, start to first put, %s MB held, after %s", thousands(int(t.backlog/1e6)), before),
			Value: took.Seconds() * 1000, Unit: "ms", Bar: 3000,
		})
		last := t.procs[0]
		if err := last.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			return nil, err
		}
		<-last.done
		t.forget()
	}
	return found, nil
}

// fill puts events of so many bytes in all into the channel.
func (t *trial) fill(size int64) error {
	in, lines, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := t.pipe(in, "fchan put store"+roomy); err != nil {
		return errors.Join(err, in.Close(), lines.Close())
	}
	in.Close()
	text := make([]byte, 100*backlogLine)
	for i := range text {
		if text[i] = 'a' + byte(i%26); i%backlogLine == backlogLine-1 {
			text[i] = '\n'
		}
	}
	for put := int64(0); put < size && err == nil; put += int64(len(text)) {
		_, err = lines.Write(text)
	}
	if err := errors.Join(err, lines.Close(), t.wait()); err != nil {
		return err
	}
	t.forget()
	return nil
}

// startAndPut starts the channel, puts one event into it as soon as it listens, and
// then some more, and returns how long the first took.
func (t *trial) startAndPut() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.ctx, bound)
	defer cancel()
	begin := time.Now()
	if err := t.start(nil, nil, "fchan file store --listen unix:sock"+roomy); err != nil {
		return 0, err
	}
	sock := t.dir + "/sock"
	if err := t.await("the channel to listen", func() bool { return exists(sock) }); err != nil {
		return 0, err
	}
	w, err := stream.DialPut(ctx, "unix:"+sock, "bench")
	if err != nil {
		return 0, err
	}
	var took time.Duration
	for range 100 { // so that a kill leaves something to look at
		b := new(event.Batch)
		b.Append(event.Event{Body: make([]byte, backlogLine)})
		if err := w.Send(b, true).Wait(); err != nil {
			return 0, err
		}
		if took == 0 {
			took = time.Since(begin)
		}
	}
	w.Abort(io.EOF)
	return took, nil
}
