package channel_test

import (
	"bytes"
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/event"
)

// TestDrainOfAFullDisk has far more put than the disk holds, while a taker takes
// it: whenever all is taken there is room again, and everything arrives.
func TestDrainOfAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("skipped: a disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c, err := channel.OpenQueue(t.Context(), embedded.Open, channel.Config{
		Limits: channel.Limits{Events: 1000, Transaction: 1},
		Dir:    lock(t, filepath.Join(disk)),
		Store:  channel.StoreConfig{Aside: filepath.Join(disk, "damaged")}, TrimBytes: 64 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })

	const puts = 150 // of 100 kB: the disk is filled several times
	done := make(chan error, puts)
	p := c.Putter()
	for i := range puts {
		b := new(event.Batch)
		b.Append(event.Event{Body: bytes.Repeat([]byte{byte(i)}, 100_000)})
		p.Put(b, true, func(err error) { done <- err })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	taker := c.Taker()
	defer taker.Close()
	for i := 0; i < puts; {
		take, err := taker.Take(ctx)
		if err != nil {
			t.Fatalf("after %d events: %v", i, err)
		}
		for e := range take.Batch().All() {
			if e.Body[0] != byte(i) {
				t.Fatalf("took event %d; want %d", e.Body[0], i)
			}
			i++
		}
		if err := take.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for range puts {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
