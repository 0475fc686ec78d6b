package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/kafka"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

const topic = "flume-channel"

// cluster starts a broker.
func cluster(t *testing.T, partitions int32, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// options returns those of a channel on c with properties, KEY=VALUE each.
func options(t *testing.T, c *kfake.Cluster, properties ...string) *kafka.Options {
	t.Helper()
	o, findings := decode(append([]string{"kafka.bootstrap.servers=" + strings.Join(c.ListenAddrs(), ",")}, properties...)...)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return o
}

func decode(properties ...string) (*kafka.Options, cli.Findings) {
	var props []flumeconf.Property
	for _, p := range properties {
		key, value, _ := strings.Cut(p, "=")
		props = append(props, flumeconf.Property{Key: key, Value: value})
	}
	o := new(kafka.Options)
	return o, cli.Decode(props, nil, o)
}

// open opens a channel, which the test closes at the end.
func open(t *testing.T, o *kafka.Options) channel.Channel {
	t.Helper()
	c, _ := openLogged(t, o)
	return c
}

func openLogged(t *testing.T, o *kafka.Options) (channel.Channel, *channeltest.Log) {
	t.Helper()
	log := new(channeltest.Log)
	logger := zerolog.New(log)
	c, err := o.Open(logger.WithContext(t.Context()), nil)
	if err != nil {
		t.Fatal(strings.Join(fault.Lines(err), "\n"))
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(log)
		}
	})
	return c, log
}

func bodies(b *event.Batch) (all []string) {
	for e := range b.All() {
		all = append(all, string(e.Body))
	}
	return all
}

// takeAll takes and commits until it has n events.
func takeAll(t *testing.T, from channel.Taker, n int) (all []string) {
	t.Helper()
	for len(all) < n {
		one := channeltest.Next(t, from)
		all = append(all, bodies(one.Batch())...)
		if err := one.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func numbers(from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, strconv.Itoa(n))
	}
	return all
}

func want(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q; want %q", what, got, want)
	}
}

// admin returns a client that looks at c from outside.
func admin(t *testing.T, c *kfake.Cluster) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// offset returns the group's offset of a partition, -1 if it has none.
func offset(t *testing.T, a *kadm.Client, partition int32) int64 {
	t.Helper()
	all, err := a.FetchOffsets(t.Context(), "flume")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := all.Lookup(topic, partition); ok {
		return o.At
	}
	return -1
}

func wantOffset(t *testing.T, a *kadm.Client, want int64) {
	t.Helper()
	if got := offset(t, a, 0); got != want {
		t.Errorf("the group's offset is %d; want %d", got, want)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOrder(t *testing.T) {
	for _, avro := range []string{"true", "false"} {
		t.Run("parseAsFlumeEvent="+avro, func(t *testing.T) {
			k := cluster(t, 1)
			c := open(t, options(t, k, "parseAsFlumeEvent="+avro))
			p, taker := c.Putter(), c.Taker()
			defer taker.Close()
			const batches = 200
			var under []<-chan error
			for i := range batches {
				under = append(under, channeltest.Begin(p, channeltest.Batch(fmt.Sprint(2*i), fmt.Sprint(2*i+1)), i%2 == 0))
			}
			for _, done := range under {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			if got := c.Len(); got != 2*batches {
				t.Errorf("holds %d events; want %d", got, 2*batches)
			}
			want(t, "taken", takeAll(t, taker, 2*batches), numbers(0, 2*batches))
			if got := c.Len(); got != 0 {
				t.Errorf("holds %d events; want none", got)
			}
			wantOffset(t, admin(t, k), 2*batches)
		})
	}
}

func TestHeaders(t *testing.T) {
	for _, tt := range []struct {
		name, avro string
		put, want  event.Headers
	}{
		{"all of them", "true", event.NewHeaders("a", "1", "key", "k", "b", ""), event.NewHeaders("a", "1", "key", "k", "b", "")},
		{"the key alone as raw bodies", "false", event.NewHeaders("a", "1", "key", "k"), event.NewHeaders("key", "k")},
		{"none", "true", event.Headers{}, event.Headers{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, options(t, cluster(t, 1), "parseAsFlumeEvent="+tt.avro))
			b := new(event.Batch)
			b.Append(event.Event{Headers: tt.put, Body: []byte("x")})
			if err := <-channeltest.Begin(c.Putter(), b, true); err != nil {
				t.Fatal(err)
			}
			taker := c.Taker()
			defer taker.Close()
			got := channeltest.Next(t, taker)
			for e := range got.Batch().All() {
				if fmt.Sprint(e.Headers) != fmt.Sprint(tt.want) || string(e.Body) != "x" {
					t.Errorf("got %v %q; want %v", e.Headers, e.Body, tt.want)
				}
			}
		})
	}
}

func TestMalformedIsKept(t *testing.T) {
	k := cluster(t, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("a line"), &kgo.Record{}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c, log := openLogged(t, options(t, k))
	channeltest.Put(t, c.Putter(), "good")
	taker := c.Taker()
	defer taker.Close()
	var got []string
	for len(got) < 3 {
		one := channeltest.Next(t, taker)
		for e := range one.Batch().All() {
			why, _ := e.Headers.Get("flumekit.malformed")
			got = append(got, string(e.Body)+"|"+why)
		}
		if err := one.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	early := "it ends too early for a Flume event in Avro's form"
	want(t, "taken", got, []string{"a line|" + early, "|" + early, "good|"})
	if !strings.Contains(log.String(), "no Flume events") {
		t.Errorf("the log has no word of it: %s", log)
	}
}

func TestReturnGoesToTheHead(t *testing.T) {
	k := cluster(t, 3)
	c := open(t, options(t, k, "partitionIdHeader=to"))
	p := c.Putter()
	for i := range 3 {
		b := new(event.Batch)
		b.Append(event.Event{Headers: event.NewHeaders("to", fmt.Sprint(i)), Body: fmt.Append(nil, i)})
		if err := <-channeltest.Begin(p, b, true); err != nil {
			t.Fatal(err)
		}
	}
	first, second := c.Taker(), c.Taker()
	defer second.Close()
	a, b, third := channeltest.Next(t, first), channeltest.Next(t, first), channeltest.Next(t, first)
	order := [][]string{bodies(a.Batch()), bodies(b.Batch()), bodies(third.Batch())}
	third.Return()
	a.Return()
	got := channeltest.Next(t, second)
	want(t, "the first that was returned", bodies(got.Batch()), order[0])
	if err := got.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := got.Commit(); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a second Commit: got %v; want %v", err, channel.ErrClosed)
	}
	first.Close()
	if err := b.Commit(); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a closed taker's Commit: got %v; want %v", err, channel.ErrClosed)
	}
	want(t, "what the closed taker had", takeAll(t, second, 1), order[1])
	want(t, "the last", takeAll(t, second, 1), order[2])
	if _, err := first.Take(t.Context()); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a closed taker's Take: got %v; want %v", err, channel.ErrClosed)
	}
}

// chunks puts three batches and takes each before the next is put, so that they
// are three takes of one partition.
func chunks(t *testing.T, c channel.Channel, taker channel.Taker) (takes []channel.Take) {
	t.Helper()
	p := c.Putter()
	for i := range 3 {
		channeltest.Put(t, p, fmt.Sprint(2*i), fmt.Sprint(2*i+1))
		takes = append(takes, channeltest.Next(t, taker))
	}
	return takes
}

func TestEarlierTakeHoldsBackTheOffset(t *testing.T) {
	k := cluster(t, 1)
	a := admin(t, k)
	c := open(t, options(t, k))
	taker := c.Taker()
	takes := chunks(t, c, taker)
	for _, i := range []int{1, 2} {
		if err := takes[i].Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if got := offset(t, a, 0); got > 0 {
		t.Fatalf("the group's offset is %d, though the first take is not committed", got)
	}
	if err := takes[0].Commit(); err != nil {
		t.Fatal(err)
	}
	wantOffset(t, a, 6)
	taker.Close()
}

func TestReopenedGoesOnAtTheOffset(t *testing.T) {
	k := cluster(t, 1)
	o := options(t, k)
	c := open(t, o)
	taker := c.Taker()
	takes := chunks(t, c, taker)
	for _, i := range []int{0, 2} {
		if err := takes[i].Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.Len(); got != 4 {
		t.Errorf("holds %d events; want 4", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := takes[1].Commit(); err == nil {
		t.Error("a take was committed after its channel was closed")
	}
	taker.Close()

	c = open(t, o)
	taker = c.Taker()
	defer taker.Close()
	want(t, "taken again", takeAll(t, taker, 4), numbers(2, 6))
}

func TestLast(t *testing.T) {
	for _, partitions := range []int32{1, 4} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			c := open(t, options(t, cluster(t, partitions)))
			p, other, taker := c.Putter(), c.Taker(), c.Taker()
			defer other.Close()
			defer taker.Close()
			channeltest.Put(t, p, "a")
			held := channeltest.Next(t, other)
			taker.Last()
			got := make(chan []string, 1)
			go func() {
				one, err := taker.Take(context.Background())
				if err != nil {
					got <- []string{err.Error()}
					return
				}
				got <- bodies(one.Batch())
				one.Commit()
			}()
			held.Return() // it may come back, so the last taker is not done
			want(t, "the last taker's", <-got, []string{"a"})
			if _, err := taker.Take(t.Context()); err != io.EOF {
				t.Errorf("at the end: got %v; want io.EOF", err)
			}
		})
	}
}

func TestLastOfAnEmptyTopic(t *testing.T) {
	c := open(t, options(t, cluster(t, 2)))
	taker := c.Taker()
	defer taker.Close()
	taker.Last()
	if _, err := taker.Take(t.Context()); err != io.EOF {
		t.Errorf("got %v; want io.EOF", err)
	}
}

func TestOffsetReset(t *testing.T) {
	for _, tt := range []struct{ property, first string }{
		{"kafka.topic=" + topic, "before"},
		{"kafka.consumer.auto.offset.reset=earliest", "before"},
		{"kafka.consumer.auto.offset.reset=latest", ""},
		{"readSmallestOffset=false", ""},
		{"readSmallestOffset=true", "before"},
	} {
		t.Run(tt.property, func(t *testing.T) {
			k := cluster(t, 1)
			c := open(t, options(t, k, tt.property))
			channeltest.Put(t, c.Putter(), "before")
			taker := c.Taker()
			defer taker.Close()
			taker.Last()
			one, err := taker.Take(t.Context())
			switch {
			case tt.first == "" && err != io.EOF:
				t.Errorf("got %v; want io.EOF", err)
			case tt.first != "" && err != nil:
				t.Error(err)
			case tt.first != "":
				want(t, "taken", bodies(one.Batch()), []string{tt.first})
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	k := cluster(t, 1)
	for _, tt := range []struct{ name, property, want string }{
		{"our limit", "kafka.producer.max.request.size=2048", "kafka.producer.max.request.size is 2KiB"},
		{"the topic's", "kafka.producer.max.request.size=8MiB", "max.message.bytes of topic flume-channel is "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, options(t, k, tt.property))
			p := c.Putter()
			for _, wait := range []bool{false, true} {
				err := <-channeltest.Begin(p, channeltest.Batch("fits", strings.Repeat("x", 2<<20)), wait)
				if !errors.Is(err, channel.ErrTooLarge) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v; want …%s…", err, tt.want)
				}
			}
			channeltest.Put(t, p, "goes on")
		})
	}
}

func TestPartition(t *testing.T) {
	k := cluster(t, 3)
	c := open(t, options(t, k, "partitionIdHeader=to", "defaultPartitionId=2"))
	p := c.Putter()
	for to, wants := range map[string]string{"0": "", "": "", "7": "partition", "x": `"x" is not the number of a partition`} {
		b := new(event.Batch)
		e := event.Event{Body: []byte("to " + to)}
		if to != "" {
			e.Headers = event.NewHeaders("to", to)
		}
		b.Append(e)
		err := <-channeltest.Begin(p, b, false)
		if (err == nil) != (wants == "") || err != nil && !strings.Contains(err.Error(), wants) {
			t.Errorf("to partition %q: got %v; want %q", to, err, wants)
		}
	}
	ends, err := admin(t, k).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for partition, want := range []int64{1, 0, 1} {
		if got, _ := ends.Lookup(topic, int32(partition)); got.Offset != want {
			t.Errorf("partition %d has %d records; want %d", partition, got.Offset, want)
		}
	}
}

func TestClosedPutter(t *testing.T) {
	c := open(t, options(t, cluster(t, 1)))
	p := c.Putter()
	channeltest.Put(t, p, "a")
	p.Close()
	p.Close()
	if err := <-channeltest.Begin(p, channeltest.Batch("b"), true); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("got %v; want %v", err, channel.ErrClosed)
	}
	if err := <-channeltest.Begin(c.Putter(), channeltest.Batch(), false); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
}

func TestClosed(t *testing.T) {
	c := open(t, options(t, cluster(t, 1)))
	p, taker := c.Putter(), c.Taker()
	channeltest.Put(t, p, "a")
	a := channeltest.Next(t, taker)
	taken := make(chan error, 1)
	go func() {
		_, err := taker.Take(context.Background())
		taken <- err
	}()
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for what, err := range map[string]error{"a take that waits": <-taken, "a put": <-channeltest.Begin(p, channeltest.Batch("c"), true)} {
		if !errors.Is(err, channel.ErrClosed) {
			t.Errorf("%s: got %v; want %v", what, err, channel.ErrClosed)
		}
	}
	a.Return()
	taker.Close()
	p.Close()
	if c.Len() != -1 {
		t.Errorf("a closed channel holds %d; want -1", c.Len())
	}
}

// TestRebalance has a second member join, which gets some of the partitions, and
// the first leave.
func TestRebalance(t *testing.T) {
	for _, strategy := range []string{"range", "cooperative-sticky"} {
		t.Run(strategy, func(t *testing.T) {
			k := cluster(t, 4)
			o := options(t, k, "kafka.consumer.partition.assignment.strategy="+strategy, "partitionIdHeader=to",
				"kafka.consumer.heartbeat.interval.ms=100", "kafka.consumer.session.timeout.ms=6000")
			one, two := open(t, o), open(t, o)
			p := one.Putter()
			putAll := func(text string) {
				for i := range 4 {
					b := new(event.Batch)
					b.Append(event.Event{Headers: event.NewHeaders("to", fmt.Sprint(i)), Body: fmt.Appendf(nil, "%s%d", text, i)})
					if err := <-channeltest.Begin(p, b, true); err != nil {
						t.Fatal(err)
					}
				}
			}
			putAll("a")
			first := one.Taker()
			got := takeAll(t, first, 4)
			slices.Sort(got)
			want(t, "the only member's", got, []string{"a0", "a1", "a2", "a3"})

			// The second joins. What it gets is not the first's any more.
			second := two.Taker()
			defer second.Close()
			taken := make(chan string, 100)
			for _, taker := range []channel.Taker{first, second} {
				go func() {
					for {
						one, err := taker.Take(context.Background())
						if err != nil {
							return
						}
						for _, body := range bodies(one.Batch()) {
							taken <- body
						}
						one.Commit()
					}
				}()
			}
			until(t, "both have partitions", func() bool {
				g := k.GroupInfo("flume")
				return g != nil && len(g.Members) == 2 && g.Members[0].NumAssigned() == 2 && g.Members[1].NumAssigned() == 2
			})
			putAll("b")
			got = nil
			for range 4 {
				got = append(got, <-taken)
			}
			slices.Sort(got)
			want(t, "both members'", got, []string{"b0", "b1", "b2", "b3"})

			first.Close()
			if err := one.Close(); err != nil {
				t.Fatal(err)
			}
			last := two.Putter()
			for i := range 4 {
				b := new(event.Batch)
				b.Append(event.Event{Headers: event.NewHeaders("to", fmt.Sprint(i)), Body: fmt.Appendf(nil, "c%d", i)})
				if err := <-channeltest.Begin(last, b, true); err != nil {
					t.Fatal(err)
				}
			}
			got = nil
			for range 4 {
				got = append(got, <-taken)
			}
			slices.Sort(got)
			want(t, "the one's that stayed", got, []string{"c0", "c1", "c2", "c3"})
			if len(taken) > 0 {
				t.Errorf("%d events came twice", len(taken))
			}
		})
	}
}

// TestStuckTakerAndRebalance has a taker hold a batch for longer than partitions
// that go away are waited for: nothing is committed for those, and what stays
// goes on where it was.
func TestStuckTakerAndRebalance(t *testing.T) {
	k := cluster(t, 2)
	a := admin(t, k)
	o := options(t, k, "partitionIdHeader=to", "kafka.consumer.heartbeat.interval.ms=100", "kafka.consumer.session.timeout.ms=6000")
	one, log := openLogged(t, o)
	two := open(t, o)
	p := one.Putter()
	for i := range 2 {
		b := new(event.Batch)
		b.Append(event.Event{Headers: event.NewHeaders("to", fmt.Sprint(i)), Body: fmt.Append(nil, i)})
		if err := <-channeltest.Begin(p, b, true); err != nil {
			t.Fatal(err)
		}
	}
	stuck := one.Taker()
	defer stuck.Close()
	held := map[string]channel.Take{}
	for range 2 {
		got := channeltest.Next(t, stuck)
		held[bodies(got.Batch())[0]] = got
	}
	other := two.Taker()
	defer other.Close()
	again := channeltest.Next(t, other) // what the first had in hand of the partition that went
	gone := bodies(again.Batch())[0]
	stays := "1"
	if gone == "1" {
		stays = "0"
	}
	for _, body := range []string{gone, stays} {
		if err := held[body].Commit(); err != nil {
			t.Errorf("Commit of %s: %v", body, err)
		}
	}
	number := map[string]int32{"0": 0, "1": 1}
	if got := offset(t, a, number[gone]); got > 0 {
		t.Errorf("partition %s, which went to the other member, was committed by the first: offset %d", gone, got)
	}
	until(t, "the partition that stayed is committed", func() bool { return offset(t, a, number[stays]) == 1 })
	if err := again.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := offset(t, a, number[gone]); got != 1 {
		t.Errorf("the other member's offset is %d; want 1", got)
	}
	if !strings.Contains(log.String(), "went to another member of the group") {
		t.Errorf("the log has no word of it: %s", log)
	}
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(30 * time.Second); !so(); {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestBrokerGoneAndBack takes the broker away while puts and takes are under way.
func TestBrokerGoneAndBack(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t)
	start := func() *kfake.Cluster {
		return cluster(t, 1, kfake.Ports(port), kfake.DataDir(dir), kfake.SyncWrites())
	}
	k := start()
	o := options(t, k, "kafka.producer.delivery.timeout.ms=1000")
	c, log := openLogged(t, o)
	p, taker := c.Putter(), c.Taker()
	defer taker.Close()
	channeltest.Put(t, p, "0")
	held := channeltest.Next(t, taker)
	k.Close()
	patient := channeltest.Begin(p, channeltest.Batch("1"), true)
	refused := <-channeltest.Begin(c.Putter(), channeltest.Batch("x"), false)
	if !errors.Is(refused, channel.ErrFull) || !strings.Contains(refused.Error(), "within 1s") {
		t.Errorf("an impatient put: got %v; want a refusal that may pass", refused)
	}
	select {
	case err := <-patient:
		t.Fatalf("a put came to an end without a broker: %v", err)
	default:
	}
	until(t, "the log tells of it", func() bool { return strings.Contains(log.String(), "cannot be reached") })
	committed := make(chan error, 1)
	go func() { committed <- held.Commit() }()

	start()
	if err := <-patient; err != nil {
		t.Errorf("the put that waited: %v", err)
	}
	if err := <-committed; err != nil {
		t.Errorf("the commit that waited: %v", err)
	}
	channeltest.Put(t, p, "2")
	got := takeAll(t, taker, 2)
	if got = slices.DeleteFunc(got, func(s string) bool { return s == "0" || s == "x" }); len(got) < 2 {
		got = append(got, takeAll(t, taker, 1)...)
	}
	want(t, "taken afterwards", got, []string{"1", "2"})
	if !strings.Contains(log.String(), "reached again") {
		t.Errorf("the log does not say that it is back: %s", log)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestCloseWithoutBroker ends puts that wait, and the channel, without one.
func TestCloseWithoutBroker(t *testing.T) {
	k := cluster(t, 1)
	c := open(t, options(t, k))
	p, taker := c.Putter(), c.Taker()
	channeltest.Put(t, p, "a")
	channeltest.Next(t, taker)
	k.Close()
	waiting := channeltest.Begin(p, channeltest.Batch("b"), true)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, channel.ErrClosed) {
		t.Errorf("a put that waits: got %v; want %v", err, channel.ErrClosed)
	}
	taker.Close()
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	plain := cluster(t, 1)
	guarded := cluster(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "secret"))
	jaas := `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="`
	for _, tt := range []struct {
		name       string
		k          *kfake.Cluster
		properties []string
		want       string
	}{
		{"no such host", plain, []string{"kafka.bootstrap.servers=no-such-host.invalid:9092"}, `no such host: "no-such-host.invalid"`},
		{"no topic", plain, []string{"kafka.topic=other"}, "topic other: the topic does not exist, and the brokers do not make it"},
		{"a wrong password", guarded, []string{"kafka.producer.security.protocol=SASL_PLAINTEXT", "kafka.producer.sasl.mechanism=PLAIN", "kafka.producer.sasl.jaas.config=" + jaas + `wrong";`}, "closes the connection when the user says who it is"},
		{"another mechanism", guarded, []string{"kafka.producer.security.protocol=SASL_PLAINTEXT", "kafka.producer.sasl.mechanism=SCRAM-SHA-512", "kafka.producer.sasl.jaas.config=" + jaas + `secret";`}, "closes the connection when the user says who it is"},
		{"no user", guarded, nil, "closes the connection at once"},
		{"no trust store", plain, []string{"kafka.producer.security.protocol=SSL", "kafka.producer.ssl.truststore.location=/no/such/file"}, "ssl.truststore.location: open /no/such/file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := options(t, tt.k, tt.properties...).Open(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v; want …%s…", err, tt.want)
			}
			if strings.Contains(strings.Join(fault.Lines(err), "\n"), "secret") {
				t.Errorf("the error tells the password: %q", fault.Lines(err))
			}
		})
	}
}

func TestSASL(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			k := cluster(t, 1, kfake.EnableSASL(), kfake.Superuser(mechanism, "u", `p "q"`))
			var properties []string
			for _, side := range []string{"producer", "consumer"} {
				properties = append(properties,
					"kafka."+side+".security.protocol=SASL_PLAINTEXT",
					"kafka."+side+".sasl.mechanism="+mechanism,
					"kafka."+side+`.sasl.jaas.config=x.LoginModule required username="u" password="p \"q\"";`)
			}
			c := open(t, options(t, k, properties...))
			channeltest.Put(t, c.Putter(), "a")
			taker := c.Taker()
			defer taker.Close()
			want(t, "taken", takeAll(t, taker, 1), []string{"a"})
		})
	}
}
