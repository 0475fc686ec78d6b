package sinkgroup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sinkgroup"
)

// recorder is a sink that writes down what it is given, and fails when it is told
// to.
type recorder struct {
	Room    int    `name:"room" default:"-1" help:"Events that it takes before it is full; -1: any number."`
	Most    int    `name:"batchSize" default:"100" help:"Most events of a batch."`
	Missing string `name:"missing" help:"Why it cannot be opened."`

	fail     error // of each Write
	written  int
	attempts int
	opened   int
	closed   int
	logged   zerolog.Logger
}

func (r *recorder) MaxEvents() int { return r.Most }

func (r *recorder) Open(ctx context.Context) (sink.Sink, error) {
	r.opened++
	if r.Missing != "" {
		return nil, errors.New(r.Missing)
	}
	r.logged = *zerolog.Ctx(ctx)
	return r, nil
}

func (r *recorder) Write(_ context.Context, b *event.Batch) error {
	r.attempts++
	switch {
	case r.fail != nil:
		return r.fail
	case r.Room >= 0 && b.Len() > r.Room:
		return errors.New("can't consume more")
	case r.Room >= 0:
		r.Room -= b.Len()
	}
	r.written += b.Len()
	return nil
}

func (r *recorder) Close() error {
	r.closed++
	return nil
}

// bench is a group of recorders.
type bench struct {
	t     *testing.T
	sinks map[string]*recorder
	group sink.Sink
	log   *strings.Builder
}

// gather makes the options of a group from properties, "key value" each. Its
// sinks are recorders; they are put into sinks.
func gather(t *testing.T, typ string, sinks map[string]*recorder, properties ...string) (sinkgroup.Options, error) {
	t.Helper()
	spec, err := sinkgroup.Catalog.Find("sink processor", typ)
	if err != nil {
		t.Fatal(err)
	}
	var props []flumeconf.Property
	for _, p := range properties {
		key, value, _ := strings.Cut(p, " ")
		props = append(props, flumeconf.Property{Key: key, Value: value})
	}
	options := spec.New().(sinkgroup.Options)
	if err := cli.Decode(props, nil, options).Err(); err != nil {
		return nil, err
	}
	catalog := component.Catalog[sink.Options]{{
		Name:  "recorder",
		Class: "org.example.flume.Recorder",
		New:   func() sink.Options { return new(recorder) },
	}}
	err = options.Gather(func(string) component.Catalog[sink.Options] { return catalog }, func(prefix string, options any) error {
		sinks[strings.Split(prefix, ".")[1]] = options.(*recorder)
		return cli.Decode(cli.Below(props, prefix), nil, options).Err()
	})
	return options, err
}

// open opens a group of recorders s1, s2 and s3.
func open(t *testing.T, typ string, properties ...string) *bench {
	t.Helper()
	b := &bench{t: t, sinks: make(map[string]*recorder), log: new(strings.Builder)}
	all := []string{"sinks s1 s2 s3", "sinks.s1.type recorder", "sinks.s2.type recorder", "sinks.s3.type recorder"}
	options, err := gather(t, typ, b.sinks, append(all, properties...)...)
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(b.log).With().Str("name", "g1").Logger()
	if b.group, err = options.Open(log.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return b
}

// write writes n batches of one event and returns how many were delivered.
func (b *bench) write(n int) int {
	var batch event.Batch
	batch.Append(event.Event{Body: []byte("test")})
	delivered := 0
	for range n {
		if b.group.Write(b.t.Context(), &batch) == nil {
			delivered++
		}
	}
	return delivered
}

// expect compares what s1, s2 and s3 have got.
func (b *bench) expect(want ...int) {
	b.t.Helper()
	got := []int{b.sinks["s1"].written, b.sinks["s2"].written, b.sinks["s3"].written}
	if !slices.Equal(got, want) {
		b.t.Errorf("s1, s2, s3 have got %v events; want %v", got, want)
	}
}

var errDown = errors.New("it is down")

func TestFailover(t *testing.T) {
	priorities := []string{"processor.priority.s1 3", "processor.priority.s2 2", "processor.priority.s3 1"}
	t.Run("goes on with the next, and back to what has recovered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", append(priorities, "processor.maxpenalty 10000", "sinks.s1.room 10", "sinks.s2.room 50", "sinks.s3.room 100")...)
			b.write(15)
			b.expect(10, 5, 0)
			b.write(50)
			b.expect(10, 50, 5)
			b.sinks["s2"].Room = 20
			time.Sleep(5 * time.Second)
			b.write(100)
			b.expect(10, 70, 85)
		})
	})
	t.Run("leaves a sink alone for longer and longer, up to maxpenalty", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", append(priorities, "processor.maxpenalty 10000")...)
			b.sinks["s1"].fail = errDown
			began := time.Now()
			var tried []time.Duration
			for range 500 {
				before := b.sinks["s1"].attempts
				b.write(1)
				if b.sinks["s1"].attempts > before {
					tried = append(tried, time.Since(began))
				}
				time.Sleep(100 * time.Millisecond)
			}
			want := []time.Duration{0, 2 * time.Second, 6 * time.Second, 14 * time.Second, 24 * time.Second, 34 * time.Second, 44 * time.Second}
			if !slices.Equal(tried, want) {
				t.Errorf("s1 was tried after %v; want %v", tried, want)
			}
			b.expect(0, 500, 0)
		})
	})
	t.Run("never overflows a penalty", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", append(priorities, "processor.maxpenalty 1000")...)
			b.sinks["s1"].fail = errDown
			for range 100 {
				b.write(2)
				time.Sleep(time.Second)
			}
			if got := b.sinks["s1"].attempts; got != 100 {
				t.Errorf("s1 was tried %d times in 100 s; want 100", got)
			}
		})
	})
	t.Run("does not try a worse sink again while a better one works", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", priorities...)
			b.sinks["s1"].fail, b.sinks["s2"].fail = errDown, errDown
			b.write(1)
			b.sinks["s1"].fail, b.sinks["s2"].fail = nil, nil
			time.Sleep(time.Minute)
			b.write(10)
			b.expect(10, 0, 1)
		})
	})
	t.Run("counts penalties from the first again after a success", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", priorities...)
			for range 5 {
				b.sinks["s1"].fail = errDown
				b.write(1)
				b.sinks["s1"].fail = nil
				time.Sleep(2 * time.Second)
				b.write(1)
			}
			b.expect(5, 5, 0)
		})
	})
	t.Run("waits while all are left alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", priorities...)
			for _, s := range b.sinks {
				s.fail = errDown
			}
			var batch event.Batch
			batch.Append(event.Event{})
			want := "all sinks failed, nothing left to failover to: s1: it is down; s2: it is down; s3: it is down"
			for range 2 {
				if err := b.group.Write(t.Context(), &batch); err == nil || err.Error() != want {
					t.Errorf("got %v; want %s", err, want)
				}
			}
			if n := b.sinks["s1"].attempts; n != 1 {
				t.Errorf("s1 was tried %d times; want once", n)
			}
		})
	})
	t.Run("without priorities keeps the order of the names, after -1", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", "sinks s3 s1 s2", "processor.priority.s2 0")
			for _, want := range [][]int{{0, 1, 0}, {0, 1, 1}, {1, 1, 1}} {
				b.write(1)
				b.expect(want...)
				for _, name := range []string{"s2", "s3", "s1"} {
					if s := b.sinks[name]; s.fail == nil {
						s.fail = errDown
						break
					}
				}
			}
		})
	})
	t.Run("says once why a sink failed, and that it works again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "failover", priorities...)
			b.sinks["s1"].fail = errDown
			for range 100 {
				b.write(1)
				time.Sleep(time.Second)
			}
			b.sinks["s1"].fail = nil
			time.Sleep(30 * time.Second)
			b.write(2)
			want := `{"level":"warn","name":"g1","error":"it is down","message":"Sink s1 failed and has been sent to failover list"}
{"level":"info","name":"g1","message":"Sink s1 works again"}
`
			if got := b.log.String(); got != want {
				t.Errorf("it logged\n%s\nwant\n%s", got, want)
			}
		})
	})
}

func TestLoadBalance(t *testing.T) {
	for _, tt := range []struct {
		name       string
		properties []string
		down       string
		batches    int
		want       []int
	}{
		{"takes turns", nil, "", 300, []int{100, 100, 100}},
		{"uses the one that works", []string{"processor.selector ROUND_ROBIN"}, "s1 s3", 10, []int{0, 10, 0}},
		{"gives the share of a sink that is down to the next", nil, "s2", 300, []int{100, 0, 200}},
		{"shares alike among those left where it backs off", []string{"processor.backoff true"}, "s2", 301, []int{151, 0, 150}},
		{"draws lots among those that work", []string{"processor.selector Random"}, "s1 s3", 10, []int{0, 10, 0}},
		{"draws lots, and backs off", []string{"processor.selector random", "processor.backoff true"}, "s1 s3", 50, []int{0, 50, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := open(t, "load_balance", tt.properties...)
				for _, name := range strings.Fields(tt.down) {
					b.sinks[name].fail = errDown
				}
				if got := b.write(tt.batches); got != tt.batches {
					t.Errorf("%d of %d batches were delivered", got, tt.batches)
				}
				b.expect(tt.want...)
			})
		})
	}
	t.Run("draws lots alike", func(t *testing.T) {
		b := open(t, "load_balance", "processor.selector random")
		b.write(30_000)
		for name, s := range b.sinks {
			if s.written < 9_000 || s.written > 11_000 {
				t.Errorf("%s has got %d of 30000 events; want a third", name, s.written)
			}
		}
	})
	t.Run("keeps a sink out for a while that has recovered at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "load_balance", "processor.backoff true")
			b.write(3)
			b.sinks["s2"].fail = errDown
			b.write(3)
			b.sinks["s2"].fail = nil
			b.write(294)
			b.expect(150, 1, 149)
		})
	})
	t.Run("keeps it out longer when it fails again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "load_balance", "processor.backoff true")
			b.sinks["s2"].fail = errDown
			b.write(3)
			time.Sleep(2100 * time.Millisecond)
			b.write(3)
			b.sinks["s2"].fail = nil
			time.Sleep(2100 * time.Millisecond)
			b.write(3)
			if got := b.sinks["s2"].written; got != 0 {
				t.Errorf("s2 has got %d events while it was to be left alone", got)
			}
			time.Sleep(2100 * time.Millisecond)
			b.write(291)
			b.expect(102, 97, 101)
		})
	})
	t.Run("bounds that by maxTimeOut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, "load_balance", "processor.backoff true", "processor.selector.maxTimeOut 3000")
			b.sinks["s2"].fail = errDown
			for range 100 {
				b.write(3)
				time.Sleep(time.Second)
			}
			// At 0 s, 2 s, and then every 3 s.
			if got := b.sinks["s2"].attempts; got != 34 {
				t.Errorf("s2 was tried %d times in 100 s; want 34", got)
			}
		})
	})
	for _, selector := range []string{"round_robin", "random"} {
		t.Run(selector+" fails while all are backed off", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := open(t, "load_balance", "processor.backoff true", "processor.selector "+selector)
				for _, s := range b.sinks {
					s.fail = errDown
				}
				b.write(1)
				for _, s := range b.sinks {
					s.fail = nil
				}
				if got := b.write(3); got != 0 {
					t.Errorf("%d batches were delivered; want none yet", got)
				}
				time.Sleep(2 * time.Second)
				if got := b.write(3); got != 3 {
					t.Errorf("%d batches of 3 were delivered after the penalty", got)
				}
			})
		})
	}
}

func TestMembersThatDoNotOpen(t *testing.T) {
	t.Run("the group works with the others, and tries again", func(t *testing.T) {
		for _, typ := range []string{"failover", "load_balance"} {
			synctest.Test(t, func(t *testing.T) {
				b := open(t, typ, "sinks.s1.missing no such directory")
				if !strings.Contains(b.log.String(), `"error":"no such directory","message":"Sink s1 cannot be opened, `) {
					t.Errorf("%s: it logged %s", typ, b.log)
				}
				if got := b.write(30); got != 30 {
					t.Errorf("%s: %d batches of 30 were delivered", typ, got)
				}
				if got := b.sinks["s1"].opened; got != 1 {
					t.Errorf("%s: s1 was opened %d times; want once so far", typ, got)
				}
				b.sinks["s1"].Missing = ""
				time.Sleep(2 * time.Second)
				b.write(3)
				if b.sinks["s1"].written == 0 {
					t.Errorf("%s: s1 has got nothing since it can be opened", typ)
				}
			})
		}
	})
	t.Run("without any, the group does not start", func(t *testing.T) {
		options, err := gather(t, "failover", map[string]*recorder{}, "sinks s1 s2",
			"sinks.s1.type recorder", "sinks.s1.missing no directory", "sinks.s2.type recorder", "sinks.s2.missing no host")
		if err != nil {
			t.Fatal(err)
		}
		_, err = options.Open(t.Context())
		want := []string{"error: sink s1: no directory", "error: sink s2: no host"}
		if got := fault.Lines(err); !slices.Equal(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	})
}

func TestMembersThatAreGone(t *testing.T) {
	gone := fmt.Errorf("%w: the program ended", sink.ErrGone)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, "failover")
		var batch event.Batch
		batch.Append(event.Event{})
		b.sinks["s1"].fail = gone
		if got := b.write(1); got != 1 || b.sinks["s1"].closed != 1 {
			t.Errorf("%d batch was delivered, s1 closed %d times; want 1, 1", got, b.sinks["s1"].closed)
		}
		b.sinks["s1"].fail = nil
		time.Sleep(2 * time.Second)
		b.write(1)
		if s := b.sinks["s1"]; s.opened != 2 || s.written != 1 {
			t.Errorf("s1 was opened %d times and has got %d events; want 2, 1", s.opened, s.written)
		}

		b.sinks["s1"].fail, b.sinks["s2"].fail, b.sinks["s3"].fail = gone, gone, errDown
		if err := b.group.Write(t.Context(), &batch); err == nil || errors.Is(err, sink.ErrGone) {
			t.Errorf("got %v; want an error that may pass", err)
		}
		time.Sleep(time.Minute)
		b.sinks["s3"].fail = gone
		if err := b.group.Write(t.Context(), &batch); !errors.Is(err, sink.ErrGone) {
			t.Errorf("got %v; want one that wraps ErrGone", err)
		}
	})
}

func TestWriteEndsWithItsContext(t *testing.T) {
	b := open(t, "failover")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var batch event.Batch
	batch.Append(event.Event{})
	if err := b.group.Write(ctx, &batch); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want %v", err, context.Canceled)
	}
	b.write(1)
	b.expect(1, 0, 0) // it was no failure of s1's
}

func TestClose(t *testing.T) {
	b := open(t, "load_balance", "sinks.s2.missing no directory")
	if err := b.group.Close(); err != nil {
		t.Error(err)
	}
	got := []int{b.sinks["s1"].closed, b.sinks["s2"].closed, b.sinks["s3"].closed}
	if want := []int{1, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("the sinks were closed %v times; want %v", got, want)
	}
}

func TestMembersLogUnderTheirOwnNames(t *testing.T) {
	b := open(t, "failover")
	s2 := b.sinks["s2"].logged
	s2.Info().Msg("hello")
	if got, want := b.log.String(), `{"level":"info","name":"s2","logger":"flume.Recorder","message":"hello"}`+"\n"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestMaxEvents(t *testing.T) {
	options, err := gather(t, "load_balance", map[string]*recorder{}, "sinks s1 s2 s3",
		"sinks.s1.type recorder", "sinks.s2.type recorder", "sinks.s2.batchSize 20", "sinks.s3.type recorder", "sinks.s3.batchSize 0")
	if err != nil {
		t.Fatal(err)
	}
	if got := options.MaxEvents(); got != 20 {
		t.Errorf("got %d; want the least, 20", got)
	}
}

func TestDefault(t *testing.T) {
	sinks := map[string]*recorder{}
	options, err := gather(t, "default", sinks, "sinks k1", "sinks.k1.type recorder")
	if err != nil {
		t.Fatal(err)
	}
	s, err := options.Open(t.Context())
	if err != nil || s != sink.Sink(sinks["k1"]) {
		t.Errorf("got %v, %v; want the sink itself", s, err)
	}
}

func TestWrongProperties(t *testing.T) {
	for _, tt := range []struct {
		typ        string
		properties []string
		want       string
	}{
		{"failover", nil, "required property sinks is missing"},
		{"default", []string{"sinks s1 s2"}, "sinks has 2 names; the default processor is for one sink"},
		{"load_balance", []string{"sinks s1"}, "sinks has one name; the load_balance processor cannot be used for a single sink"},
		{"failover", []string{"sinks s1 s1"}, "sinks has s1 twice"},
		{"failover", []string{"sinks s1,s2"}, `sinks has the name "s1,s2"`},
		{"load_balance", []string{"sinks s1,s2"}, `sinks has the name "s1,s2"`},
		{"default", []string{"sinks s1,s2"}, `sinks has the name "s1,s2"`},
		{"failover", []string{"sinks s1 s2", "processor.priority.s1 1", "processor.priority.s2 1"}, "processor.priority.s2 is 1, as is that of s1"},
		{"failover", []string{"sinks s1 s2", "processor.priority.s1 high"}, `processor.priority.s1: "high" is not a whole number`},
		{"failover", []string{"sinks s1 s2", "processor.maxpenalty -1"}, "processor.maxpenalty is -1ms"},
		{"load_balance", []string{"sinks s1 s2", "processor.selector.maxTimeOut -1"}, "processor.selector.maxTimeOut is -1ms"},
		{"load_balance", []string{"sinks s1 s2", "processor.selector random_backoff"}, `processor.selector: unknown sink selector "random_backoff"`},
		{"load_balance", []string{"sinks s1 s2", "processor.selector org.example.Selector"}, `processor.selector: unknown sink selector "org.example.Selector"`},
		{"failover", []string{"sinks s1 s2", "sinks.s1.type recorder"}, "sinks.s2.type is missing"},
		{"failover", []string{"sinks s1 s2", "sinks.s1.type recorder", "sinks.s2.type recoder"}, `sinks.s2.type: unknown sink type "recoder"`},
	} {
		_, err := gather(t, tt.typ, map[string]*recorder{}, tt.properties...)
		lines := fault.Lines(err)
		if len(lines) < 2 || lines[0] != "error: "+tt.want || !strings.HasPrefix(lines[len(lines)-1], "hint: ") {
			t.Errorf("%s %q: got %q; want %q and a hint", tt.typ, tt.properties, lines, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		properties []string
		want       []string
	}{
		{[]string{"sinks s1 s2", "processor.priority.s2 1"}, nil},
		{[]string{"sinks s1 s2", "processor.priority.s11 1"}, []string{"processor.priority.s11 has no effect: the group has no sink s11"}},
		{[]string{"sinks s1 s2", "sinks.other.type recorder"}, []string{"sinks.other.type has no effect: the group has no sink other"}},
		{[]string{"sinks s1"}, []string{"sinks has one name: there is none to fail over to"}},
	} {
		options, err := gather(t, "failover", map[string]*recorder{}, append(tt.properties, "sinks.s1.type recorder", "sinks.s2.type recorder")...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, err := range options.(interface{ Warnings() []error }).Warnings() {
			if text := err.Error(); !strings.HasPrefix(text, "sinks.s2.type") {
				got = append(got, text)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q; want %q", tt.properties, got, tt.want)
		}
	}
}

func TestCatalog(t *testing.T) {
	if err := cli.Verify(sinkgroup.Catalog, nil); err != nil {
		t.Error(err)
	}
	for _, spec := range sinkgroup.Catalog {
		if _, ok := spec.New().(sinkgroup.Options); !ok {
			t.Errorf("%s: its options are no Options", spec.Name)
		}
		if want := fmt.Sprintf("The %s processor ", spec.Name); !strings.HasPrefix(spec.Manual, want) {
			t.Errorf("%s: the manual begins %.30q; want %q", spec.Name, spec.Manual, want)
		}
		if _, err := os.Stat(strings.ReplaceAll(spec.Name, "_", "") + ".go"); err != nil {
			t.Errorf("%s has no file of its own: %v", spec.Name, err)
		}
	}
}
