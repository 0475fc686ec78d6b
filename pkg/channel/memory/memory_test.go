package memory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/memory"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
)

func open(t *testing.T, o memory.Options) channel.Channel {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPromises(t *testing.T) {
	channeltest.Run(t, channeltest.Subject{
		Open: func(t *testing.T, _ string, capacity, transaction int, keepAlive time.Duration) channel.Channel {
			return open(t, memory.Options{
				Capacity:            option.Int(capacity),
				TransactionCapacity: option.Int(transaction),
				KeepAlive:           option.Seconds(keepAlive),
			})
		},
		Full: "Space for commit to queue couldn't be acquired. Sinks are likely not keeping up with sources, or the buffer size is too tight",
	})
}

func TestByteCapacity(t *testing.T) {
	const full = "Cannot commit transaction. Byte capacity allocated to store event body 800 reached. Please increase heap space/byte capacity allocated to the channel as the sinks may not be keeping up with the sources"
	for _, tt := range []struct {
		name   string
		bodies []int // the lengths of the first put's
		second int   // the length of the second put's
		want   string
	}{
		{"bodies count in steps of 100", []int{1, 100, 101}, 400, ""},
		{"and one byte too many is a step too many", []int{1, 100, 101}, 401, full},
		{"an empty body is a step", []int{0, 0, 0, 0, 0, 0, 0, 0}, 0, full},
		{"headers do not count", []int{700}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, memory.Options{
				Capacity:            100,
				TransactionCapacity: 100,
				ByteCapacity:        1000,
				BufferPercentage:    20,
			})
			defer c.Close()
			var first, second event.Batch
			for _, n := range tt.bodies {
				first.Append(event.Event{Headers: event.NewHeaders("key", "value"), Body: make([]byte, n)})
			}
			second.Append(event.Event{Body: make([]byte, tt.second)})
			if err := <-channeltest.Begin(c.Putter(), &first, false); err != nil {
				t.Fatal(err)
			}
			err := <-channeltest.Begin(c.Putter(), &second, false)
			if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, channel.ErrFull) || err.Error() != tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	good := memory.Options{Capacity: 100, TransactionCapacity: 100, BufferPercentage: 20}
	for _, tt := range []struct {
		name string
		set  func(*memory.Options)
		want string
	}{
		{"Flume's defaults", func(*memory.Options) {}, ""},
		{"no capacity", func(o *memory.Options) { o.Capacity = 0 }, "capacity is 0"},
		{"no transactionCapacity", func(o *memory.Options) { o.TransactionCapacity = -1 }, "transactionCapacity is -1"},
		{"a transaction that exceeds the capacity", func(o *memory.Options) { o.Capacity = 99 }, "transactionCapacity is 100, but capacity is 99"},
		{"nothing but buffer", func(o *memory.Options) { o.BufferPercentage = 100 }, "byteCapacityBufferPercentage is 100"},
		{"less than nothing", func(o *memory.Options) { o.ByteCapacity = -1 }, "byteCapacity is -1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, got := good, ""
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
