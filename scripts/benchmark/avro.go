package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// avroAvro is one hop by Flume's Avro RPC, a request a batch. Its time is the
// sender's, whose last event is committed when it ends.
func avroAvro(batch int) flow {
	return flow{
		name: fmt.Sprintf("avro-avro-%d", batch),
		does: fmt.Sprintf("fsrc stdin --batchSize %d < file | fsink avro => fsrc avro | fsink null", batch),

		durability: inSink,
		events:     2_000_000,
		measure:    func(t *trial) error { return t.avroToAvro(batch) },
	}
}

func (t *trial) avroToAvro(batch int) error {
	lines, err := t.firstLines()
	if err != nil {
		return err
	}
	defer lines.Close()
	if err := t.pipe(nil, "fsrc avro 127.0.0.1:0 --ready-file ready", "fsink null"); err != nil {
		return err
	}
	ready := filepath.Join(t.dir, "ready")
	if err := t.await("the source to listen", func() bool { return exists(ready) }); err != nil {
		return err
	}
	addr, err := os.ReadFile(ready)
	if err := errors.Join(err, os.Remove(ready)); err != nil {
		return err
	}
	begin := time.Now()
	err = t.pipe(lines,
		fmt.Sprintf("fsrc stdin --once --batchSize %d", batch),
		fmt.Sprintf("fsink avro %s --once --batch-size %d", strings.TrimSpace(string(addr)), batch))
	if err != nil {
		return err
	}
	sender := t.procs[len(t.procs)-1]
	<-sender.done
	t.found.Events, t.found.Elapsed = t.n, time.Since(begin)
	if err := t.interrupt(); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	return t.deliveredAll(t.n)
}
