package exec

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
)

func TestLinesHoweverTheyAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.StringMatching(`([a-c]{0,5}(\n|\r|\r\n))*[a-c]{0,5}`).Draw(t, "output")
		want := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(written), "\n")
		if last := len(want) - 1; want[last] == "" {
			want = want[:last]
		}

		var put sourcetest.Collector
		output := make(chan []byte)
		in := newIntake(&Options{BatchSize: 3, BatchTimeout: option.Millis(time.Hour), MaxLineLength: 100}, &put)
		done := make(chan error)
		go func() { done <- in.run(t.Context(), output) }()
		for rest := []byte(written); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "read")
			output <- rest[:n]
			rest = rest[n:]
		}
		close(output)
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if got := put.Bodies(); !slices.Equal(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	})
}

func TestBatchTimeout(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pause time.Duration // before each line
		lines int
		want  []string // time and size of each batch
	}{
		{"steady lines go every batchTimeout", 350 * time.Millisecond, 12, []string{"1.5s 4", "3s 4", "4.2s 4"}},
		{"a line after a quiet spell goes at once", 2 * time.Second, 2, []string{"2s 1", "4s 1"}},
		{"many lines go as they fill a batch", 0, 25, []string{"0s 10", "0s 10", "0s 5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				put := clocked{start: time.Now()}
				output := make(chan []byte)
				in := newIntake(&Options{BatchSize: 10, BatchTimeout: option.Millis(1500 * time.Millisecond), MaxLineLength: 100}, &put)
				done := make(chan error)
				go func() { done <- in.run(t.Context(), output) }()
				for range tt.lines {
					time.Sleep(tt.pause)
					output <- []byte("line\n")
				}
				close(output)
				if err := <-done; err != nil {
					t.Errorf("run: %v", err)
				}
				if got := put.batches; !slices.Equal(got, tt.want) {
					t.Errorf("got %q; want %q", got, tt.want)
				}
			})
		})
	}
}

// clocked notes the time and the size of each batch.
type clocked struct {
	sourcetest.Collector
	start   time.Time
	batches []string
}

func (c *clocked) Begin(b *event.Batch) source.Commit {
	c.batches = append(c.batches, fmt.Sprintf("%v %d", time.Since(c.start), b.Len()))
	return c.Collector.Begin(b)
}
