package main

import (
	"fmt"
	"os"
	"time"
)

// stdinNull is the stream alone. Its time, like that of all flows from standard
// input, is the whole pipeline's, from the first exec to the last exit.
func stdinNull() flow {
	return flow{
		name:       "stdin-null",
		does:       "fsrc stdin < file | fsink null",
		durability: inSink,
		events:     2_000_000,
		measure:    func(t *trial) error { return t.stdinToNull("fsrc stdin --once", "fsink null --once") },
		beside:     &reference{name: "cat file | wc -l", bar: 0.5, measure: catAndCount},
	}
}

// stdinMemory and stdinFile have a batch be the same number of events all the
// way, so that a batch is a transaction of the channel.
func stdinMemory(batch int) flow {
	return flow{
		name:       fmt.Sprintf("stdin-memory-%d", batch),
		does:       fmt.Sprintf("fsrc stdin --batchSize %d < file | fchan memory | fsink null --batchSize %d", batch, batch),
		durability: inMemory,
		events:     2_000_000,
		measure: func(t *trial) error {
			return t.stdinToNull(
				fmt.Sprintf("fsrc stdin --once --batchSize %d", batch),
				memoryChannel,
				fmt.Sprintf("fsink null --once --batchSize %d", batch))
		},
	}
}

func stdinFile(batch int) flow {
	return flow{
		name:   fmt.Sprintf("stdin-file-%d", batch),
		does:   fmt.Sprintf("fsrc stdin --batchSize %d < file | fchan file DIR | fsink null --batchSize %d", batch, batch),
		events: 2000 * batch,
		measure: func(t *trial) error {
			return t.stdinToNull(
				fmt.Sprintf("fsrc stdin --once --batchSize %d", batch),
				fileChannel,
				fmt.Sprintf("fsink null --once --batchSize %d", batch))
		},
		beside: &reference{
			name:    "raw write + fsync",
			bar:     0.5,
			measure: func(t *trial) error { return t.writeAndSync(batch) },
		},
	}
}

// The channels have room enough not to be what is measured.
const (
	memoryChannel = "fchan memory --capacity 100000 --transactionCapacity 10000"
	fileChannel   = "fchan file store"
)

func (t *trial) stdinToNull(commands ...string) error {
	lines, err := t.firstLines()
	if err != nil {
		return err
	}
	defer lines.Close()
	begin := time.Now()
	if err := t.pipe(lines, commands...); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	t.found.Events, t.found.Elapsed = t.n, time.Since(begin)
	return t.deliveredAll(t.n)
}

// firstLines returns a file of as many lines as the trial has events.
func (t *trial) firstLines() (*os.File, error) {
	info, err := os.Stat(t.input())
	if err != nil {
		return nil, err
	}
	if info.Size() == int64(t.n)*(bodySize+1) {
		return os.Open(t.input())
	}
	path := fmt.Sprintf("%s-%d", t.input(), t.n)
	if !exists(path) {
		if err := writeLines(path, t.n); err != nil {
			return nil, err
		}
	}
	return os.Open(path)
}
