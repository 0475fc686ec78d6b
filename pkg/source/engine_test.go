package source_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/interceptor"
	"github.com/flumekit/flumekit/pkg/selector"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a source made of a function.
type running func(ctx context.Context, put source.Put) error

func (r running) Run(ctx context.Context, put source.Put) error { return r(ctx, put) }

// far is the far end of a channel's socket: it keeps what it commits.
type far struct {
	mu     sync.Mutex
	bodies []string
	sizes  []int
	refuse *stream.Refused // every batch, if not nil
}

func (f *far) serve(r *stream.Reader) {
	for {
		d, err := r.Next(context.Background())
		if err != nil {
			return
		}
		f.mu.Lock()
		if f.refuse != nil {
			d.Refuse(f.refuse.Code, f.refuse.Text)
		} else {
			f.sizes = append(f.sizes, d.Batch.Len())
			for e := range d.Batch.All() {
				f.bodies = append(f.bodies, string(e.Body))
			}
			d.Commit()
		}
		f.mu.Unlock()
	}
}

// channels returns a writer to each of the far ends.
func channels(t *testing.T, maxEvents int, ends ...*far) []*stream.Writer {
	t.Helper()
	var writers []*stream.Writer
	for i, end := range ends {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		l, err := stream.Listen(path, fmt.Sprint("c", i), stream.Bounds{MaxEvents: maxEvents})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			conn, err := l.Accept()
			l.Close()
			if err == nil {
				end.serve(conn.Reader())
			}
		}()
		w, err := stream.DialPut(t.Context(), "unix:"+path, "r1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Abort(stream.ErrClosed); <-served })
		writers = append(writers, w)
	}
	return writers
}

// flow returns the flow of properties as they stand in a file, to the given channels.
func flow(t *testing.T, common source.Common, set map[string]func(any), writers []*stream.Writer) source.Flow {
	t.Helper()
	names := make([]string, len(writers))
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	f, err := common.Flow(names, func(prefix string, options any) error {
		if fill := set[prefix]; fill != nil {
			fill(options)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Channels = writers
	return f
}

func replicating() source.Common { return source.Common{Selector: "replicating"} }

func batch(bodies ...string) *event.Batch {
	b := new(event.Batch)
	for _, body := range bodies {
		b.Append(event.Event{Body: []byte(body)})
	}
	return b
}

func TestEveryRequiredChannelGetsTheBatch(t *testing.T) {
	a, b := new(far), new(far)
	counts, err := source.Run(t.Context(), t.Context(), running(func(_ context.Context, put source.Put) error {
		return put.Commit(batch("x", "y"))
	}), flow(t, replicating(), nil, channels(t, 0, a, b)))
	if err != nil || counts.Received != 2 || counts.Accepted != 2 {
		t.Errorf("got %+v, %v", counts, err)
	}
	for _, end := range []*far{a, b} {
		if !slices.Equal(end.bodies, []string{"x", "y"}) {
			t.Errorf("got %q; want x, y", end.bodies)
		}
	}
}

func TestARefusalReachesTheSender(t *testing.T) {
	full := &far{refuse: &stream.Refused{Code: stream.Full, Text: "no room"}}
	counts, err := source.Run(t.Context(), t.Context(), running(func(_ context.Context, put source.Put) error {
		if err := put.Try(batch("x")); err == nil || err.Error() != "no room" {
			t.Errorf("Try: %v; want no room", err)
		}
		return nil
	}), flow(t, replicating(), nil, channels(t, 0, full)))
	if err != nil || counts.Refused != 1 || counts.Accepted != 0 {
		t.Errorf("got %+v, %v", counts, err)
	}
}

func TestAnOptionalChannelMayFail(t *testing.T) {
	good, full := new(far), &far{refuse: &stream.Refused{Code: stream.Full, Text: "no room"}}
	optional := map[string]func(any){"selector.": func(o any) {
		o.(*selector.Replicating).Optional = []string{"c1"}
	}}
	counts, err := source.Run(t.Context(), t.Context(), running(func(_ context.Context, put source.Put) error {
		return errors.Join(put.Try(batch("x")), put.Commit(batch("y")))
	}), flow(t, replicating(), optional, channels(t, 0, good, full)))
	if err != nil || counts.Accepted != 2 || counts.Forfeited != 2 {
		t.Errorf("got %+v, %v; want two accepted and two forfeited", counts, err)
	}
	if !slices.Equal(good.bodies, []string{"x", "y"}) {
		t.Errorf("got %q; want x, y", good.bodies)
	}
}

func TestABatchThatCanWaitIsCutToTheChannel(t *testing.T) {
	end := new(far)
	_, err := source.Run(t.Context(), t.Context(), running(func(_ context.Context, put source.Put) error {
		if got := put.MaxEvents(); got != 2 {
			t.Errorf("MaxEvents() = %d; want 2", got)
		}
		return put.Commit(batch("a", "b", "c", "d", "e"))
	}), flow(t, replicating(), nil, channels(t, 2, end)))
	if err != nil || !slices.Equal(end.sizes, []int{2, 2, 1}) || strings.Join(end.bodies, "") != "abcde" {
		t.Errorf("got %v of sizes %v, %v; want abcde in 2, 2, 1", end.bodies, end.sizes, err)
	}
}

func TestInterceptorsThenSelector(t *testing.T) {
	us, cz := new(far), new(far)
	common := source.Common{
		Selector:              "multiplexing",
		Interceptors:          []string{"i1"},
		InterceptorProperties: map[string]string{"i1.type": "static"},
	}
	set := map[string]func(any){
		"interceptors.i1.": func(o any) {
			*o.(*interceptor.Static) = interceptor.Static{Key: "state", Value: "CZ", PreserveExisting: true}
		},
		"selector.": func(o any) {
			*o.(*selector.Multiplexing) = selector.Multiplexing{
				Header: "state", Mapping: map[string]string{"CZ": "c1", "US": "c0"},
			}
		},
	}
	counts, err := source.Run(t.Context(), t.Context(), running(func(_ context.Context, put source.Put) error {
		b := batch("here")
		b.Append(event.Event{Headers: event.NewHeaders("state", "US"), Body: []byte("there")})
		b.Append(event.Event{Headers: event.NewHeaders("state", "DE"), Body: []byte("nowhere")})
		return put.Commit(b)
	}), flow(t, common, set, channels(t, 0, us, cz)))
	if err != nil || counts.Accepted != 3 || counts.Dropped != 1 {
		t.Errorf("got %+v, %v; want three accepted, one of them dropped", counts, err)
	}
	if !slices.Equal(us.bodies, []string{"there"}) || !slices.Equal(cz.bodies, []string{"here"}) {
		t.Errorf("got %q and %q; want there, here", us.bodies, cz.bodies)
	}
}

func TestTheDeathOfAChannelEndsTheRun(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r := stream.OpenStdin(in, "k1", stream.Bounds{})
	w, err := stream.OpenStdout(t.Context(), out, stream.StdoutOptions{Format: stream.Auto, Ack: stream.AckRequire})
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Run(t.Context(), t.Context(), running(func(ctx context.Context, put source.Put) error {
		r.Close()
		in.Close()
		<-ctx.Done()
		return nil
	}), flow(t, replicating(), nil, []*stream.Writer{w}))
	if !errors.Is(err, stream.ErrDied) {
		t.Errorf("got %v; want ErrDied", err)
	}
}

func TestNowEndsWhatWaits(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r := stream.OpenStdin(in, "k1", stream.Bounds{}) // it never answers
	defer in.Close()
	defer r.Close()
	w, err := stream.OpenStdout(t.Context(), out, stream.StdoutOptions{Format: stream.Auto, Ack: stream.AckRequire})
	if err != nil {
		t.Fatal(err)
	}
	now, end := context.WithCancel(t.Context())
	_, err = source.Run(t.Context(), now, running(func(_ context.Context, put source.Put) error {
		commit := put.Begin(batch("x"))
		end()
		return commit.Wait()
	}), flow(t, replicating(), nil, []*stream.Writer{w}))
	if !errors.Is(err, source.ErrStopped) {
		t.Errorf("got %v; want ErrStopped", err)
	}
}

func TestFlowRefusesUnknownParts(t *testing.T) {
	none := func(string, any) error { return nil }
	for _, tt := range []struct {
		name   string
		common source.Common
		want   string
	}{
		{"interceptor without a type", source.Common{Interceptors: []string{"i1"}}, "interceptors.i1.type: the interceptor has no type"},
		{"unknown interceptor", source.Common{Interceptors: []string{"i1"}, InterceptorProperties: map[string]string{"i1.type": "timestmp"}},
			`interceptors.i1.type: unknown interceptor type "timestmp"`},
		{"unknown selector", source.Common{Selector: "random"}, `selector.type: unknown channel selector type "random"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.common.Flow([]string{"c0"}, none); err == nil || err.Error() != tt.want {
				t.Errorf("got %v; want %s", err, tt.want)
			}
		})
	}
}
