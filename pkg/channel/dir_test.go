package channel_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
)

func TestLockDirIsOwned(t *testing.T) {
	path := t.TempDir()
	dir := lock(t, path)
	_, err := channel.LockDir(path)
	if !errors.Is(err, channel.ErrInUse) || !strings.HasSuffix(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("got %v; want %v: process %d", err, channel.ErrInUse, os.Getpid())
	}
	shut(t, dir)
	shut(t, lock(t, path))
}

func TestAwaitDir(t *testing.T) {
	path := t.TempDir()
	first := lock(t, path)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := channel.AwaitDir(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v; want %v", err, context.DeadlineExceeded)
	}

	got := make(chan error, 1)
	go func() {
		second, err := channel.AwaitDir(t.Context(), path)
		if err == nil {
			err = second.Close()
		}
		got <- err
	}()
	shut(t, first)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestLockDirKnowsItsFormat(t *testing.T) {
	path := t.TempDir()
	shut(t, lock(t, path))
	format := filepath.Join(path, "format")
	if text, err := os.ReadFile(format); err != nil || string(text) != "flumekit channel 2\n" {
		t.Errorf("the format is %q, %v; want flumekit channel 2", text, err)
	}
	if err := os.WriteFile(format, []byte("flumekit channel 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := `format says "flumekit channel 7"; this version knows "flumekit channel 2"`
	for range 2 { // the lock is not kept after the refusal
		if _, err := channel.LockDir(path); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
	}
}

func TestLockDirLeavesOthersAlone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string
		want  string
	}{
		{"it is empty", nil, ""},
		{"the layout was begun", []string{"lock", "format.new"}, ""},
		{"it is Flume's", []string{"log-1", "log-1.meta", "in_use.lock", "notes"}, ""},
		{"Flume's checkpoint is in it", []string{"checkpoint"}, ""},
		{"it is the top of a disk", []string{"lost+found"}, ""},
		{"it has a file", []string{"letter"}, `is not a channel's directory: it has "letter" in it`},
		{"it has files", []string{"letter", "log-book", "zoo"}, `is not a channel's directory: it has "letter" and 2 more in it`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := t.TempDir()
			for _, name := range tt.files {
				if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			dir, err := channel.LockDir(path)
			if err == nil {
				dir.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
			if entries, _ := os.ReadDir(path); err != nil && len(entries) != len(tt.files) {
				t.Errorf("it has %v now; want nothing new", entries)
			}
		})
	}
}

func TestDirSocketOfALongPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	if err := channel.MakeDir(path); err != nil {
		t.Fatal(err)
	}
	socket, err := channel.DirSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	c, _ := open(t, "", limits)
	server, err := channel.Listen(t.Context(), c, socket.Path(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := os.Stat(filepath.Join(path, "sock")); err != nil {
		t.Error(err)
	}
}
