package jdbc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/jdbc"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

func open(t *testing.T, o jdbc.Options) channel.Channel {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(component.WithName(t.Context(), "c1"), embedded.Open)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEventsOutliveTheChannel puts into a channel without a directory of its
// own and takes from the next of its name.
func TestEventsOutliveTheChannel(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	c := open(t, jdbc.Options{})
	var b event.Batch
	b.Append(event.Event{Body: []byte("kept")})
	done := make(chan error, 1)
	c.Putter().Put(&b, false, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, ".flume/jdbc-channel/c1/ledger")); err != nil {
		t.Error(err)
	}
	c = open(t, jdbc.Options{})
	defer c.Close()
	take, err := c.Taker().Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for e := range take.Batch().All() {
		if string(e.Body) != "kept" {
			t.Errorf("got %q; want kept", e.Body)
		}
	}
}

func TestMaximumCapacity(t *testing.T) {
	c := open(t, jdbc.Options{Dir: t.TempDir(), MaximumCapacity: 1})
	defer c.Close()
	if got := c.Bounds().MaxEvents; got != 1 {
		t.Errorf("it takes %d events at once; want 1", got)
	}
	var long jdbc.Options
	found := cli.Decode([]flumeconf.Property{
		{Key: "org.apache.flume.channel.jdbc.maximum.capacity", Value: "7"},
		{Key: "org.apache.flume.channel.jdbc.db.type", Value: "DERBY"},
	}, nil, &long)
	if err := found.Err(); err != nil || len(found.Warnings) > 0 || long.MaximumCapacity != 7 {
		t.Errorf("by its long name: got %d, %v, %v; want 7", long.MaximumCapacity, err, found.Warnings)
	}
	if len(found.Notices) != 1 || !strings.HasPrefix(found.Notices[0].Error(), "org.apache.flume.channel.jdbc.db.type has no effect: ") {
		t.Errorf("got the notices %v; want one of db.type", found.Notices)
	}
	if err := (&jdbc.Options{MaximumCapacity: -1}).Validate(); err == nil {
		t.Error("a capacity of -1 is accepted")
	}
}
