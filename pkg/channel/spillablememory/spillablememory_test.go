package spillablememory_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/spillablememory"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
)

func open(t *testing.T, o spillablememory.Options) channel.Channel {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(t.Context(), embedded.Open)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func options(dir string, memory, overflow, transaction int, timeout time.Duration) spillablememory.Options {
	return spillablememory.Options{
		Dir:                 dir,
		MemoryCapacity:      option.Int(memory),
		OverflowCapacity:    option.Int(overflow),
		OverflowTimeout:     option.Seconds(timeout),
		TransactionCapacity: option.Int(transaction),
		FsyncPerTransaction: true,
	}
}

func TestPromises(t *testing.T) {
	const fullDisk = "The channel has reached it's capacity. This might be the result of a sink on the channel having too low of batch size, a downstream system running slower than normal, or that the channel capacity is just too low."
	for _, tt := range []struct {
		name    string
		subject channeltest.Subject
	}{
		{"in memory only", channeltest.Subject{
			Open: func(t *testing.T, dir string, capacity, transaction int, keepAlive time.Duration) channel.Channel {
				return open(t, options(dir, capacity, 0, transaction, keepAlive))
			},
			Full: "Spillable Memory Channel's memory capacity has been reached and overflow is disabled. Consider increasing memoryCapacity.",
		}},
		{"on disk only", channeltest.Subject{
			Open: func(t *testing.T, dir string, capacity, transaction int, keepAlive time.Duration) channel.Channel {
				return open(t, options(dir, 0, capacity, transaction, keepAlive))
			},
			Durable: true,
			Full:    fullDisk,
		}},
		{"in memory and on disk", channeltest.Subject{
			Open: func(t *testing.T, dir string, capacity, transaction int, keepAlive time.Duration) channel.Channel {
				o := options(dir, 3, capacity, transaction, keepAlive)
				if capacity < 3 { // tests of a full channel: it is the disk that is full
					o.MemoryCapacity, o.OverflowCapacity = 0, option.Int(capacity)
				}
				return open(t, o)
			},
			InMessages: true, // the capacity is that of both
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { channeltest.Run(t, tt.subject) })
	}
}

func put(t *testing.T, p channel.Putter, b *event.Batch) {
	t.Helper()
	if err := <-channeltest.Begin(p, b, false); err != nil {
		t.Fatal(err)
	}
}

// rest returns the bodies of all that the channel holds, and closes it.
func rest(t *testing.T, c channel.Channel) string {
	t.Helper()
	taker := c.Taker()
	taker.Last()
	var all []string
	for {
		take, err := taker.Take(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for e := range take.Batch().All() {
			all = append(all, string(e.Body))
		}
		if err := take.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestOnlyWhatWasSpilledOutlivesTheProcess(t *testing.T) {
	o := options(t.TempDir(), 2, 10, 5, time.Millisecond)
	c := open(t, o)
	p := c.Putter()
	for _, body := range []string{"a", "b", "c", "d"} {
		put(t, p, channeltest.Batch(body))
	}
	if got := channel.AtStake(c, &o); got != 2 {
		t.Errorf("%d events are at stake; want 2", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, o)
	put(t, c.Putter(), channeltest.Batch("e"))
	if got := channel.AtStake(c, &o); got != 0 {
		t.Errorf("%d events are at stake behind those on disk; want 0", got)
	}
	if got := rest(t, c); got != "c d e" {
		t.Errorf("got %q; want c d e", got)
	}
}

func TestWhatLiesOnDiskIsDeliveredWithoutOverflow(t *testing.T) {
	o := options(t.TempDir(), 1, 10, 1, 0)
	c := open(t, o)
	p := c.Putter()
	for _, body := range []string{"a", "b", "c"} {
		put(t, p, channeltest.Batch(body))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	o.OverflowCapacity = 0
	c = open(t, o)
	put(t, c.Putter(), channeltest.Batch("d"))
	if got := rest(t, c); got != "b c d" {
		t.Errorf("got %q; want b c d", got)
	}
}

func TestByteCapacity(t *testing.T) {
	for _, tt := range []struct {
		name   string
		bodies []string
		spilt  bool
	}{
		{"bodies count", []string{"12345678"}, false},
		{"the buffer is kept free", []string{"123456789"}, true},
		{"headers and empty bodies do not count", []string{"1234", "", "", "5678"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t.TempDir(), 100, 100, 100, time.Hour)
			o.ByteCapacity, o.BufferPercentage = 10, 20
			c := open(t, o)
			defer c.Close()
			b := new(event.Batch)
			for _, body := range tt.bodies {
				b.Append(event.Event{Headers: event.NewHeaders("key", "value"), Body: []byte(body)})
			}
			put(t, c.Putter(), b)
			if spilt := channel.AtStake(c, &o) == 0; spilt != tt.spilt {
				t.Errorf("spilt: %t; want %t", spilt, tt.spilt)
			}
		})
	}
}

func TestBothCapacitiesZero(t *testing.T) {
	var log channeltest.Log
	o := options(t.TempDir(), 0, 0, 10, 0)
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	logger := zerolog.New(&log)
	c, err := o.Open(logger.WithContext(t.Context()), embedded.Open)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c.Putter(), channeltest.Batch("a"))
	if got := rest(t, c); got != "a" {
		t.Errorf("got %q; want a", got)
	}
	if !strings.Contains(log.String(), "overflowCapacity is taken as 100000000") {
		t.Errorf("logged %s", log.String())
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*spillablememory.Options)
		want string
	}{
		{"Flume's defaults", func(*spillablememory.Options) {}, ""},
		{"all on disk", func(o *spillablememory.Options) { o.MemoryCapacity = 0 }, ""},
		{"nothing on disk", func(o *spillablememory.Options) { o.OverflowCapacity = 0 }, ""},
		{"a memory below the transaction", func(o *spillablememory.Options) { o.MemoryCapacity = 10 }, ""},
		{"less than no memory", func(o *spillablememory.Options) { o.MemoryCapacity = -1 }, "memoryCapacity is -1"},
		{"less than no disk", func(o *spillablememory.Options) { o.OverflowCapacity = -1 }, "overflowCapacity is -1"},
		{"a transaction that exceeds the memory", func(o *spillablememory.Options) { o.OverflowCapacity, o.MemoryCapacity = 0, 9999 },
			"transactionCapacity is 10000, but memoryCapacity is 9999, and overflowCapacity 0"},
		{"a transaction that exceeds the disk", func(o *spillablememory.Options) { o.OverflowCapacity = 9999 },
			"transactionCapacity is 10000, but overflowCapacity is 9999"},
		{"no time", func(o *spillablememory.Options) { o.OverflowTimeout = -1 }, "overflowTimeout is -1ns"},
		{"nothing but buffer", func(o *spillablememory.Options) { o.BufferPercentage = 100 }, "byteCapacityBufferPercentage is 100"},
		{"less than nothing", func(o *spillablememory.Options) { o.ByteCapacity = -1 }, "byteCapacity is -1"},
		{"what the file channel refuses", func(o *spillablememory.Options) { o.TransactionCapacity = 0 }, "transactionCapacity is 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, got := options("", 10_000, 100_000_000, 10_000, 3*time.Second), ""
			tt.set(&o)
			if err := o.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	for _, tt := range []struct {
		memory, overflow int
		want             string
	}{
		{10, 20, "in memory, lost with the process, capacity 10 events; what does not fit on disk, fsync before each commit, capacity 20 events"},
		{10, 0, "in memory, lost with the process, capacity 10 events"},
		{0, 20, "fsync before each commit, capacity 20 events"},
	} {
		o := options("", tt.memory, tt.overflow, 1, 0)
		if got := o.Policy(); got != tt.want {
			t.Errorf("got %q; want %q", got, tt.want)
		}
	}
}

func TestDirectoryInUse(t *testing.T) {
	o := options(t.TempDir(), 1, 1, 1, 0)
	c := open(t, o)
	if _, err := o.Open(context.Background(), embedded.Open); !errors.Is(err, channel.ErrInUse) {
		t.Errorf("got %v; want %v", err, channel.ErrInUse)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, o).Close(); err != nil {
		t.Fatal(err)
	}
}
