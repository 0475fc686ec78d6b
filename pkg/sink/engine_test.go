package sink_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a sink that keeps what is written, as often as it is written, and
// fails when it is told to.
type scripted struct {
	mu     sync.Mutex
	fail   func(write int) error
	writes [][]string
	closed bool
}

func (s *scripted) Write(_ context.Context, b *event.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bodies []string
	for e := range b.All() {
		bodies = append(bodies, string(e.Body))
	}
	s.writes = append(s.writes, bodies)
	if s.fail != nil {
		return s.fail(len(s.writes))
	}
	return nil
}

func (s *scripted) Close() error {
	s.closed = true
	return nil
}

// piped returns the two ends of a stream over a pipe.
func piped(t *testing.T) (*stream.Writer, *stream.Reader) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r := stream.OpenStdin(in, "k1", stream.Bounds{})
	w, err := stream.OpenStdout(t.Context(), out, stream.StdoutOptions{Format: stream.Auto, Ack: stream.AckRequire})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Abort(stream.ErrClosed); r.Close(); in.Close() })
	return w, r
}

func numbered(first, n int) *event.Batch {
	b := new(event.Batch)
	for i := first; i < first+n; i++ {
		b.Append(event.Event{Body: fmt.Append(nil, i)})
	}
	return b
}

func TestBatchesAreJoinedAndCut(t *testing.T) {
	for _, tt := range []struct {
		name      string
		sizes     []int
		maxEvents int
	}{
		{"single events are joined", slices.Repeat([]int{1}, 50), 10},
		{"large batches are cut", []int{25, 7}, 10},
		{"no bound", []int{25, 7, 1}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, r := piped(t)
			total := 0
			for _, n := range tt.sizes {
				w.Send(numbered(total, n), true)
				total += n
			}
			go w.Close(context.Background())
			k := new(scripted)
			counts, err := sink.Run(t.Context(), t.Context(), k, r, tt.maxEvents)
			if err != nil || counts.Delivered != int64(total) || !k.closed {
				t.Errorf("got %+v, %v, closed %v; want %d delivered", counts, err, k.closed, total)
			}
			i := 0
			for _, write := range k.writes {
				if tt.maxEvents > 0 && len(write) > tt.maxEvents {
					t.Errorf("a write of %d events; want %d at most", len(write), tt.maxEvents)
				}
				for _, body := range write {
					if body != fmt.Sprint(i) {
						t.Fatalf("got event %s; want %d", body, i)
					}
					i++
				}
			}
		})
	}
}

// growing is a sink whose bound doubles with each write.
type growing struct {
	scripted
	asked []int
}

func (g *growing) MaxEvents() int {
	g.asked = append(g.asked, 1<<len(g.asked))
	return g.asked[len(g.asked)-1]
}

func TestASinkMayChangeItsBound(t *testing.T) {
	w, r := piped(t)
	w.Send(numbered(0, 1), true)
	w.Send(numbered(1, 7), true)
	go w.Close(context.Background())
	k := new(growing)
	if _, err := sink.Run(t.Context(), t.Context(), k, r, 100); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, write := range k.writes {
		sizes = append(sizes, len(write))
	}
	if want := []int{1, 2, 2, 2, 1}; !slices.Equal(sizes, want) {
		t.Errorf("got writes of %d events; want %d", sizes, want)
	}
}

func TestAFailedWriteIsTriedAgainWhole(t *testing.T) {
	w, r := piped(t)
	receipt := w.Send(numbered(0, 3), true)
	k := &scripted{fail: func(write int) error {
		select {
		case <-receipt.Done():
			t.Error("acknowledged before it was written")
		default:
		}
		if write < 3 {
			return errors.New("the disk is full")
		}
		return nil
	}}
	ended := make(chan error, 1)
	go func() {
		_, err := sink.Run(t.Context(), t.Context(), k, r, 0)
		ended <- err
	}()
	if err := receipt.Wait(); err != nil {
		t.Errorf("the receipt: %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if want := slices.Repeat([][]string{{"0", "1", "2"}}, 3); !slices.EqualFunc(k.writes, want, slices.Equal) {
		t.Errorf("got %v; want %v", k.writes, want)
	}
}

func TestAStopLeavesWhatCannotBeDelivered(t *testing.T) {
	w, r := piped(t)
	receipt := w.Send(numbered(0, 1), true)
	ctx, stop := context.WithCancel(t.Context())
	k := &scripted{fail: func(write int) error {
		if write == 2 {
			stop()
		}
		return errors.New("the disk is full")
	}}
	counts, err := sink.Run(ctx, t.Context(), k, r, 0)
	if fault.Status(err) != fault.TryAgain || counts.Delivered != 0 || !k.closed {
		t.Errorf("got %+v, %v (status %d), closed %v; want none delivered, status 75", counts, err, fault.Status(err), k.closed)
	}
	if err := receipt.Wait(); !errors.Is(err, stream.ErrDied) {
		t.Errorf("the receipt: %v; want it unanswered", err)
	}
}

func TestAFailureIsLoggedWithItsHint(t *testing.T) {
	want := `{"level":"error","error":"nobody listens","hint":"start the other end","message":"Unable to deliver event. Trying again."}` + "\n"
	if got := logOf(t, func(int) error { return fault.Hint(errors.New("nobody listens"), "start the other end") }); got != want {
		t.Errorf("got %s; want once %s", got, want)
	}
}

func TestAReasonIsLoggedOnceWhateverItsNumbers(t *testing.T) {
	got := logOf(t, func(write int) error { return fmt.Errorf("making /data/%d.tmp: permission denied", 1000+write) })
	if strings.Count(got, "permission denied") != 1 || !strings.Contains(got, "/data/1001.tmp") {
		t.Errorf("got %s; want one line, with the first file", got)
	}
}

// logOf returns what is logged while three writes fail.
func logOf(t *testing.T, fail func(write int) error) string {
	t.Helper()
	w, r := piped(t)
	w.Send(numbered(0, 1), true)
	var log strings.Builder
	ctx, stop := context.WithCancel(zerolog.New(&log).WithContext(t.Context()))
	k := &scripted{fail: func(write int) error {
		if write == 3 {
			stop()
		}
		return fail(write)
	}}
	sink.Run(ctx, t.Context(), k, r, 0)
	return log.String()
}

func TestAGoneDestinationEndsTheRun(t *testing.T) {
	w, r := piped(t)
	receipt := w.Send(numbered(0, 1), true)
	k := &scripted{fail: func(int) error { return fmt.Errorf("writing: %w", sink.ErrGone) }}
	if _, err := sink.Run(t.Context(), t.Context(), k, r, 0); fault.Status(err) != fault.TryAgain || len(k.writes) != 1 {
		t.Errorf("got %v after %d writes; want status 75 after one", err, len(k.writes))
	}
	if err := receipt.Wait(); !errors.Is(err, stream.ErrDied) {
		t.Errorf("the receipt: %v; want it unanswered", err)
	}
}

func TestAnIdleSinkStops(t *testing.T) {
	_, r := piped(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := sink.Run(ctx, t.Context(), new(scripted), r, 0); err != nil {
		t.Error(err)
	}
}

func TestTheDeathOfTheWriterIsToldAfterItsEvents(t *testing.T) {
	w, r := piped(t)
	receipt := w.Send(numbered(0, 2), true)
	k := &scripted{}
	ended := make(chan error, 1)
	go func() {
		_, err := sink.Run(t.Context(), t.Context(), k, r, 0)
		ended <- err
	}()
	receipt.Wait()
	w.Abort(errors.New("killed"))
	if err := <-ended; !errors.Is(err, stream.ErrDied) {
		t.Errorf("got %v; want ErrDied", err)
	}
	if len(k.writes) != 1 {
		t.Errorf("got %v; want the one write", k.writes)
	}
}

func TestPausesGrowToTheirBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var pauses []time.Duration
		last := start
		k := &scripted{fail: func(write int) error {
			if write > 1 {
				pauses = append(pauses, time.Since(last))
			}
			last = time.Now()
			if write < 12 {
				return errors.New("away")
			}
			return nil
		}}
		if err := sink.WriteUntilSafe(t.Context(), t.Context(), k, numbered(0, 1)); err != nil {
			t.Error(err)
		}
		for i, p := range pauses {
			if want := min(100*time.Millisecond<<i, 5*time.Second); p < want/2 || p > want*3/2 {
				t.Errorf("pause %d is %v; want about %v", i, p, want)
			}
		}
	})
}
