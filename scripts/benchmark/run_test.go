package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build builds the commands and returns their directory.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "./cmd/fsrc", "./cmd/fchan", "./cmd/fsink", "./cmd/fctl")
	cmd.Dir = "../.."
	if log, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the commands: %v\n%s", err, log)
	}
	return bin
}

func TestRun(t *testing.T) {
	bin := build(t)
	t.Run("all is well", func(t *testing.T) { runFlows(t, bin) })
	t.Run("a sink loses one event", func(t *testing.T) { runLoss(t, bin) })
}

func runFlows(t *testing.T, bin string) {
	args := []string{"--bin", bin, "--dir", t.TempDir(), "--runs", "1", "--events", "2000", "--json"}
	names := []string{"stdin-null", "netcat-pipe", "netcat-memory", "netcat-agent", "syslogtcp-fileroll", "syslogtcp-memory-fileroll", "stdin-memory-100", "stdin-file-100", "avro-avro-100", "agent-start", "avro-agents-100", "hdfs-local-sequence"}
	var out strings.Builder
	if err := run(t.Context(), append(args, names...), &out); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if len(row.Runs) != 1 || row.Runs[0].Events != 2000 || row.Runs[0].Elapsed <= 0 || row.Runs[0].CPU <= 0 {
			t.Errorf("got %+v; want one run of 2000 events", row)
		}
		durable := row.Name == "stdin-file-100" || strings.HasPrefix(row.Name, "hdfs-")
		if durable && row.Durability != "fsync before each commit" {
			t.Errorf("the durability of %s is %q; want what the channel says", row.Name, row.Durability)
		}
		if durable && row.Syncs != nil && *row.Syncs == 0 {
			t.Errorf("%s has no fsync", row.Name)
		}
	}
	if len(r.Observations) != 1 || r.Observations[0].Value <= 0 {
		t.Errorf("got %+v; want how long the agent took", r.Observations)
	}
}

func runLoss(t *testing.T, bin string) {
	fsink := filepath.Join(bin, "fsink")
	err := os.Rename(fsink, fsink+".real")
	script := fmt.Sprintf("#!/bin/sh\nsed 1d | %s.real \"$@\"\n", fsink)
	if err := errors.Join(err, os.WriteFile(fsink, []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
	args := []string{"--bin", bin, "--dir", t.TempDir(), "--runs", "1", "--events", "2000", "stdin-null"}
	err = run(t.Context(), args, io.Discard)
	if want := "2000 events went in, and 1999 came out"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v; want %q", err, want)
	}
}
