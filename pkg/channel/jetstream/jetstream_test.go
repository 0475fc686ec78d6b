package jetstream_test

import (
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/option"
)

func TestPromises(t *testing.T) {
	s := serve(t)
	streams := make(map[string]string)
	channeltest.Run(t, channeltest.Subject{
		Open: func(t *testing.T, dir string, capacity, transaction int, keepAlive time.Duration) channel.Channel {
			o := options(s.ClientURL())
			if streams[dir] == "" {
				streams[dir] = "s" + string(rune('a'+len(streams)))
			}
			o.Stream = streams[dir]
			o.TransactionCapacity = option.Int(transaction)
			o.MaxMsgs = option.Int64(capacity)
			o.KeepAlive = option.Seconds(keepAlive)
			c, err := o.Open(logged(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Durable:    true,
		InMessages: true,
		Full:       "The channel has reached it's capacity. This might be the result of a sink on the channel having too low of batch size, a downstream system running slower than normal, or that the channel capacity is just too low.",
	})
}
