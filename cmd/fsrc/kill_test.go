package main_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/cmd/commandtest"
)

// TestKillTheSink kills fsink in the middle of 100,000 lines that a client sends
// to fsrc netcat: what was answered OK is in the sink's files, the client gets
// nothing for the rest, and fsrc fails and says why.
func TestKillTheSink(t *testing.T) {
	const lines = 100_000
	bin, dir := commandtest.Dir(t), t.TempDir()
	pipeRead, pipeWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(dir, "addr")
	var said strings.Builder
	fsrc := exec.Command(filepath.Join(bin, "fsrc"), "netcat", "localhost:0", "--ready-file", ready)
	fsrc.Stdout, fsrc.Stderr = pipeWrite, &said
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	fsink := exec.Command(filepath.Join(bin, "fsink"), "file_roll", data)
	fsink.Stdin = pipeRead
	for _, c := range []*exec.Cmd{fsrc, fsink} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Process.Kill()
	}
	pipeRead.Close()
	pipeWrite.Close()

	var addr []byte
	commandtest.Until(t, "fsrc listens", func() bool {
		addr, _ = os.ReadFile(ready)
		return len(addr) > 0
	})
	conn, err := net.Dial("tcp", strings.TrimSpace(string(addr)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		w := bufio.NewWriter(conn)
		for i := range lines {
			fmt.Fprintf(w, "line %d\n", i)
		}
		w.Flush() // it fails when fsrc ends
	}()
	acknowledged, answers := 0, bufio.NewScanner(conn)
	for answers.Scan() && answers.Text() == "OK" {
		if acknowledged++; acknowledged == lines/10 {
			fsink.Process.Kill()
		}
	}
	if fsrc.Wait() == nil {
		t.Error("fsrc ended with status 0")
	}
	fsink.Wait()
	if !strings.Contains(said.String(), "fsrc: error: the reader of standard output: the process at the other end died") {
		t.Errorf("fsrc said %q", said.String())
	}

	delivered := make(map[string]bool)
	files, err := filepath.Glob(filepath.Join(data, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			delivered[line] = true
		}
	}
	for i := range acknowledged {
		if !delivered[fmt.Sprintf("line %d\n", i)] {
			t.Fatalf("line %d of %d acknowledged ones is missing", i, acknowledged)
		}
	}
	if acknowledged < lines/10 || acknowledged >= lines {
		t.Errorf("%d lines of %d were acknowledged; the kill hit nothing", acknowledged, lines)
	}
}
