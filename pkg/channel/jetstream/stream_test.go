package jetstream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/jetstream"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
)

func client(t *testing.T, url string) (*nats.Conn, js.JetStream) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	api, err := js.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, api
}

func TestStreamsOfOthers(t *testing.T) {
	s := serve(t)
	_, api := client(t, s.ClientURL())
	for i, tt := range []struct {
		name   string
		stream js.StreamConfig
		set    func(*jetstream.Options)
		want   string
	}{
		{"one that keeps all", js.StreamConfig{}, nil, ""},
		{"one that refuses what it has no room for", js.StreamConfig{MaxMsgs: 10, Discard: js.DiscardNew}, nil, ""},
		{"one that forgets by age", js.StreamConfig{MaxAge: time.Hour}, nil, "forgets messages that are older than 1h0m0s"},
		{"one that discards the old", js.StreamConfig{MaxMsgs: 10}, nil, "discards old messages when it is full"},
		{"one that discards the old of a subject", js.StreamConfig{MaxMsgsPerSubject: 10, Discard: js.DiscardNew}, nil, "discards old messages of a subject"},
		{"one by interest", js.StreamConfig{Retention: js.InterestPolicy}, nil, "while it has no consumer"},
		{"one that does not acknowledge", js.StreamConfig{NoAck: true}, nil, "does not acknowledge"},
		{"one with too few replicas", js.StreamConfig{}, func(o *jetstream.Options) { o.Replicas = 3 }, "replicas is 3, but the stream"},
		{"one in memory", js.StreamConfig{Storage: js.MemoryStorage}, func(o *jetstream.Options) { o.Storage = "file" }, "storage is file, but the stream"},
		{"one with other subjects", js.StreamConfig{Subjects: []string{"logs.*.x", "logs.a"}}, func(o *jetstream.Options) { o.Subject = "logs.a.b" }, "has the subjects logs.*.x logs.a, but not logs.a.b"},
		{"one with a wildcard", js.StreamConfig{Subjects: []string{"more.>"}}, func(o *jetstream.Options) { o.Subject = "more.a.b" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.stream.Name = fmt.Sprintf("s%d", i)
			if tt.stream.Subjects == nil {
				tt.stream.Subjects = []string{tt.stream.Name}
			}
			if _, err := api.CreateStream(t.Context(), tt.stream); err != nil {
				t.Fatal(err)
			}
			o := options(s.ClientURL())
			o.Stream = tt.stream.Name
			if tt.set != nil {
				tt.set(o)
			}
			c, err := o.Open(logged(t), nil)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v; want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer shut(t, c)
			channeltest.Put(t, c.Putter(), "a", "b")
			wantBodies(t, drain(t, c), "a b")
		})
	}
}

func TestConsumerThatDropsIsRefused(t *testing.T) {
	s := serve(t)
	_, api := client(t, s.ClientURL())
	c := open(t, options(s.ClientURL()))
	_, err := api.CreateConsumer(t.Context(), "flumekit", js.ConsumerConfig{Durable: "flumekit", AckPolicy: js.AckExplicitPolicy, MaxDeliver: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Taker().Take(t.Context())
	if err == nil || !strings.Contains(err.Error(), "drops a message after 3 deliveries") {
		t.Errorf("got %v; want that it drops messages", err)
	}
	<-c.Failed()
}

func TestMessagesOfOthers(t *testing.T) {
	s := serve(t)
	nc, _ := client(t, s.ClientURL())
	c := open(t, options(s.ClientURL()))
	for _, m := range []*nats.Msg{
		{Subject: "flumekit", Data: []byte("plain"), Header: nats.Header{"host": {"h1"}, "tag": {"a", "b"}}},
		{Subject: "flumekit", Data: []byte("no batch"), Header: nats.Header{"Flumekit-Events": {"1"}}},
	} {
		if _, err := nc.RequestMsg(m, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	malformed := fmt.Sprint(new(event.Batch).Decode([]byte("no batch")))
	taker := c.Taker()
	for _, want := range []event.Event{
		{Headers: event.NewHeaders("host", "h1", "tag", "a, b"), Body: []byte("plain")},
		{Headers: event.NewHeaders("Flumekit-Events", "1", "flumekit.malformed", malformed), Body: []byte("no batch")},
	} {
		got := channeltest.Take(t, taker, string(want.Body))
		for e := range got.Batch().All() {
			for key, value := range want.Headers.All() {
				if have, _ := e.Headers.Get(key); have != value {
					t.Errorf("header %s of %s is %q; want %q", key, want.Body, have, value)
				}
			}
		}
		channeltest.Commit(t, got)
	}
}

func TestLargeBatches(t *testing.T) {
	s := serve(t)
	c := open(t, options(s.ClientURL()))
	p := c.Putter()
	third := strings.Repeat("x", 400<<10)
	channeltest.Put(t, p, third+"1", third+"2", third+"3", third+"4") // in parts
	got := drain(t, c)
	if len(got) != 4 || got[0] != third+"1" || got[3] != third+"4" {
		t.Errorf("got %d events, not those that were put", len(got))
	}
	for _, wait := range []bool{true, false} {
		err := <-channeltest.Begin(p, channeltest.Batch("small", strings.Repeat("x", 1<<20)), wait)
		if !errors.Is(err, channel.ErrTooLarge) || !strings.Contains(err.Error(), "max_payload") {
			t.Errorf("got %.200v; want that it is too large for max_payload", err)
		}
	}
	if bound := c.Bounds().MaxBytes; bound < 1<<19 || bound > 1<<20 {
		t.Errorf("MaxBytes is %d", bound)
	}
}

func TestFullStream(t *testing.T) {
	s := serve(t)
	o := options(s.ClientURL())
	o.MaxMsgs, o.KeepAlive = 2, option.Seconds(50*time.Millisecond)
	c := open(t, o)
	p := c.Putter()
	channeltest.Put(t, p, "a")
	channeltest.Put(t, p, "b")
	for range 3 {
		err := <-channeltest.Begin(p, channeltest.Batch("refused"), false)
		if !errors.Is(err, channel.ErrFull) || !strings.HasPrefix(err.Error(), "The channel has reached it's capacity.") {
			t.Errorf("got %v; want Flume's words for a full channel", err)
		}
	}
	patient := channeltest.Begin(p, channeltest.Batch("c"), true)
	channeltest.Commit(t, channeltest.Take(t, c.Taker(), "a"))
	if err := <-patient; err != nil {
		t.Error(err)
	}
	wantBodies(t, drain(t, c), "b c")
}

func TestServerAway(t *testing.T) {
	h := newHub(t)
	h.start(t)
	o := options(h.client())
	o.KeepAlive = option.Seconds(50 * time.Millisecond)
	c := open(t, o)
	p, taker := c.Putter(), c.Taker()
	channeltest.Put(t, p, "a")
	held := channeltest.Take(t, taker, "a")
	h.stop()
	if err := <-channeltest.Begin(p, channeltest.Batch("refused"), false); !errors.Is(err, channel.ErrFull) {
		t.Errorf("got %v; want a refusal that may pass", err)
	}
	patient, committed := channeltest.Begin(p, channeltest.Batch("b"), true), make(chan error, 1)
	go func() { committed <- held.Commit() }()
	h.start(t)
	if err := <-patient; err != nil {
		t.Error(err)
	}
	if err := <-committed; err != nil {
		t.Error(err)
	}
	channeltest.Commit(t, channeltest.Take(t, taker, "b"))
	taker.Close()
	wantBodies(t, drain(t, c), "")
}

func TestAddress(t *testing.T) {
	for _, tt := range []struct{ word, servers, stream string }{
		{"nats://h1:4222,nats://h2:4222", "nats://h1:4222,nats://h2:4222", ""},
		{"nats://h1,nats://h2/ORDERS", "nats://h1,nats://h2", "ORDERS"},
		{"h1:4222", "nats://h1:4222", ""},
		{"h1/ORDERS", "nats://h1", "ORDERS"},
	} {
		got, err := jetstream.Properties(tt.word)
		if err != nil || got["servers"] != tt.servers || got["stream"] != tt.stream {
			t.Errorf("%s: got %v, %v; want %s and %q", tt.word, got, err, tt.servers, tt.stream)
		}
	}
	for word, want := range map[string]bool{"nats://h": true, "tls://h": true, "/var/spool": false, "unix:/x": false, "kafka://h": false} {
		if got := jetstream.IsAddress(word); got != want {
			t.Errorf("IsAddress(%s) is %v", word, got)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*jetstream.Options)
		want string
	}{
		{"a sound one", func(*jetstream.Options) {}, ""},
		{"no URL", func(o *jetstream.Options) { o.Servers = []string{"http://h"} }, `"http://h" is not the URL of a server`},
		{"a password stays unseen", func(o *jetstream.Options) { o.Servers = []string{"http://u:s3cret@h"} }, `"http://u:xxxxx@h" is not the URL of a server`},
		{"a leaf node that is no edge", func(o *jetstream.Options) { o.Servers = []string{"nats-leaf://h"} }, "is not the URL of a server"},
		{"a stream with a dot", func(o *jetstream.Options) { o.Stream = "a.b" }, `stream is "a.b"`},
		{"a subject with a wildcard", func(o *jetstream.Options) { o.Subject = "a.>" }, `subject is "a.>"`},
		{"two identities", func(o *jetstream.Options) { o.User, o.Creds = "u", "f" }, "creds and user are all set"},
		{"a password of nobody", func(o *jetstream.Options) { o.Password = "p" }, "there is a password, but no user"},
		{"half a certificate", func(o *jetstream.Options) { o.TLSCert = "f" }, "only one of tlscert and tlskey"},
		{"a storage of another kind", func(o *jetstream.Options) { o.Storage = "disk" }, `storage is "disk"`},
		{"domain and prefix", func(o *jetstream.Options) { o.Domain, o.APIPrefix = "d", "p" }, "js-domain and js-api-prefix are both set"},
		{"no time to work", func(o *jetstream.Options) { o.AckWait = 0 }, "ack-wait is 0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options("nats://h")
			tt.set(o)
			err := o.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}
