package channel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// TestFlippedBits flips bits in the store of a channel that lives several times, and is
// killed or closed each time: what it does not deliver in the end it has reported to be
// lost, and nothing else.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	first := uint64(time.Now().UnixNano())
	for seed := first; seed < first+60; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			d := &damaged{dir: t.TempDir(), r: rand.New(rand.NewPCG(seed, 0)), held: make(map[string]int)}
			defer func() {
				if t.Failed() {
					t.Logf("%s\nit said %s", strings.Join(d.did, "\n"), d.said.String())
				}
			}()
			again := false
			for range 1 + d.r.IntN(5) {
				d.live(t)
				if d.r.IntN(3) == 0 {
					d.flip(t)
					again = true
				}
			}
			d.flip(t)
			d.drain(t)
			lost := uint64(0)
			for _, events := range d.held {
				lost += uint64(events)
			}
			// What was found lost beside what is found now is reported once more.
			if told := toldLost(t, d.dir); told < lost || told > lost && !again {
				t.Errorf("told of %d lost events; want %d", told, lost)
			}
			if len(d.held) > d.hits {
				t.Errorf("%d batches are lost; want %d at most", len(d.held), d.hits)
			}
		})
	}
}

// damaged is a channel, what it holds, and what was done to it.
type damaged struct {
	dir  string
	r    *rand.Rand
	held map[string]int // bodies, and how many events
	next int
	hits int // flips in files that hold messages
	did  []string
	said channeltest.Log
}

func (d *damaged) note(format string, args ...any) {
	d.did = append(d.did, fmt.Sprintf(format, args...))
}

func (d *damaged) open(t *testing.T) *channel.Queue {
	t.Helper()
	conf := channel.Config{Limits: limits, Dir: lock(t, d.dir), TrimBytes: 2_000}
	conf.Store.SyncInterval = time.Minute // what a killed process leaves is what the kernel has
	conf.Store.Aside = conf.Dir.Aside()
	c, err := channel.OpenQueue(zerolog.New(&d.said).Level(zerolog.WarnLevel).WithContext(t.Context()), embedded.Open, conf)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// live puts batches, takes some, commits some of those, and then closes the channel or
// leaves it as a process that is killed does.
func (d *damaged) live(t *testing.T) {
	c := d.open(t)
	for range d.r.IntN(5) {
		d.next++
		bodies := slices.Repeat([]string{fmt.Sprint(d.next, strings.Repeat("x", d.r.IntN(300)))}, 1+d.r.IntN(3))
		channeltest.Put(t, c.Putter(), bodies...)
		d.held[strings.Join(bodies, " ")] = len(bodies)
		d.note("put %d, %d events", d.next, len(bodies))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	taker := c.Taker()
	taker.Last()
	open := 0
	for range d.r.IntN(6) {
		if open == len(d.held) {
			break
		}
		take, err := taker.Take(ctx)
		if errors.Is(err, io.EOF) || ctx.Err() != nil { // the rest is lost
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if d.r.IntN(3) > 0 {
			d.commit(t, take)
		} else {
			open++
			d.note("took %.3s", channeltest.Bodies(take.Batch()))
		}
	}
	if d.r.IntN(2) == 0 {
		d.note("close")
		shut(t, c)
		return
	}
	d.note("kill")
	left := t.TempDir()
	c.Still(func() {
		if err := copyChannel(left, d.dir); err != nil {
			t.Fatal(err)
		}
	})
	shut(t, c)
	d.dir = left
}

func (d *damaged) commit(t *testing.T, take channel.Take) {
	t.Helper()
	body := channeltest.Bodies(take.Batch())
	if d.held[body] == 0 {
		t.Errorf("took %.10q, which it does not hold", body)
	}
	channeltest.Commit(t, take)
	delete(d.held, body)
	d.note("committed %.3s", body)
}

func (d *damaged) drain(t *testing.T) {
	c := d.open(t)
	defer shut(t, c)
	taker := c.Taker()
	taker.Last()
	for {
		take, err := taker.Take(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		d.commit(t, take)
	}
	if got := c.Len(); got != 0 {
		t.Errorf("%d events are left", got)
	}
}

// flip flips some bits of the store: one, which can be mended, or some side by side.
func (d *damaged) flip(t *testing.T) {
	var files []string
	for _, names := range []string{"state", "mark", "jetstream/$G/streams/channel/*", "jetstream/$G/streams/channel/msgs/*"} {
		those, err := filepath.Glob(storeDir(d.dir) + "/*/" + names)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, those...)
	}
	for range min(len(files), d.r.IntN(12)) {
		file := files[d.r.IntN(len(files))]
		content, err := os.ReadFile(file)
		if err != nil || len(content) == 0 {
			continue // a directory, or empty
		}
		at := d.r.IntN(len(content))
		for i := range 1 + 3*d.r.IntN(2) {
			content[(at+i)%len(content)] ^= 1 << d.r.IntN(8)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(file) == ".blk" {
			d.hits++
		}
		d.note("flip at %d of %d of %s", at, len(content), strings.TrimPrefix(file, storeDir(d.dir)))
	}
}
