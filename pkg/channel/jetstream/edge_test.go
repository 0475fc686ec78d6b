package jetstream_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/jetstream"
	"github.com/flumekit/flumekit/pkg/channel/leafnode"
	"github.com/flumekit/flumekit/pkg/event"
)

// hub is a server with a leafnode port, which can be stopped and started again.
type hub struct {
	options *server.Options
	server  *server.Server
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{options: serverOptions(t, func(o *server.Options) {
		o.Port = freePort(t)
		o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", freePort(t)
	})}
	t.Cleanup(h.stop)
	return h
}

func (h *hub) start(t *testing.T) {
	t.Helper()
	h.server = start(t, h.options.Clone())
}

func (h *hub) stop() {
	if h.server != nil {
		stop(h.server)
		h.server = nil
	}
}

func (h *hub) client() string { return fmt.Sprintf("nats://127.0.0.1:%d", h.options.Port) }
func (h *hub) leaf() string   { return fmt.Sprintf("nats-leaf://127.0.0.1:%d", h.options.LeafNode.Port) }

// freePort returns a port that is free, and not among those from which the system
// takes the near ends of connections: a server that is started again wants it back.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return 0
}

func openEdge(t *testing.T, dir, url string) channel.Channel {
	t.Helper()
	o := options(url)
	o.Edge = dir
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(jetstream.WithLeaf(logged(t), leafnode.Start), embedded.Open)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func shut(t *testing.T, c channel.Channel) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestEdge(t *testing.T) {
	for _, tt := range []struct {
		name string
		url  func(*hub) string
	}{
		{"as a leaf node", (*hub).leaf},
		{"as a client", (*hub).client},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, dir := newHub(t), filepath.Join(t.TempDir(), "edge")
			// The hub cannot be reached: all is held.
			c := openEdge(t, dir, tt.url(h))
			if err := putNumbers(c.Putter(), 0, 1000, 7); err != nil {
				t.Fatal(err)
			}
			if held := c.Len(); held != 1000 {
				t.Errorf("holds %d; want 1000", held)
			}
			if err := c.(channel.Forwarder).Forward(t.Context()); !strings.HasPrefix(fmt.Sprint(err), "forwarding to the hub: ") {
				t.Errorf("Forward without the hub: got %v; want the reason", err)
			}
			shut(t, c)
			// It is there: all arrives, what was held first.
			h.start(t)
			remote := open(t, options(h.client()))
			c = openEdge(t, dir, tt.url(h))
			if err := putNumbers(c.Putter(), 1000, 1500, 7); err != nil {
				t.Fatal(err)
			}
			last := c.Taker()
			last.Last()
			if _, err := last.Take(t.Context()); err != io.EOF {
				t.Errorf("when all is forwarded: got %v; want io.EOF", err)
			}
			wantNumbers(t, drain(t, remote), 1500)
			if err := c.(channel.Forwarder).Forward(t.Context()); err != nil {
				t.Errorf("Forward when all is forwarded: got %v", err)
			}
			// It goes away and comes back.
			h.stop()
			if err := putNumbers(c.Putter(), 0, 500, 7); err != nil {
				t.Fatal(err)
			}
			h.start(t)
			if _, err := last.Take(t.Context()); err != io.EOF {
				t.Errorf("when all is forwarded: got %v; want io.EOF", err)
			}
			wantNumbers(t, drain(t, remote), 500)
			shut(t, c)
			shut(t, remote)
		})
	}
}

func TestEdgeRefusesWhatTheHubWould(t *testing.T) {
	h := newHub(t)
	c := openEdge(t, t.TempDir(), h.leaf())
	defer shut(t, c)
	err := <-channeltest.Begin(c.Putter(), channeltest.Batch(strings.Repeat("x", 1<<20)), true)
	if !strings.Contains(fmt.Sprint(err), "max_payload") {
		t.Errorf("got %v; want an error that names max_payload", err)
	}
}

// edgeVictim puts numbers into an edge until it is killed, and says which were
// acknowledged.
func edgeVictim(dir, url string, from int) error {
	o := options(url)
	o.Edge = dir
	ctx := zerolog.New(io.Discard).WithContext(context.Background())
	c, err := o.Open(jetstream.WithLeaf(ctx, leafnode.Start), embedded.Open)
	if err != nil {
		return err
	}
	p, room := c.Putter(), make(chan struct{}, 4)
	for n := from; ; n++ {
		b := new(event.Batch)
		b.Append(event.Event{Body: fmt.Appendf(nil, "%d", n)})
		room <- struct{}{}
		p.Put(b, true, func(err error) {
			if err == nil {
				fmt.Println(n)
			}
			<-room
		})
	}
}

func TestKilledEdgeLosesNothing(t *testing.T) {
	h, dir := newHub(t), t.TempDir()
	h.start(t)
	remote := open(t, options(h.client()))
	next := 0
	acked := make(map[int]bool)
	for range 4 {
		process, lines := launch(t, "edge", fmt.Sprintf("%s %s %d", dir, h.leaf(), next))
		enough := 100 + rand.IntN(400)
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
				t.Fatalf("the edge said %q", lines.Text())
			}
			acked[n] = true
			if enough--; enough == 0 {
				process.Process.Kill()
			}
			next = max(next, n+1)
		}
		process.Wait()
		next += 100 // those under way have no number twice
	}
	c := openEdge(t, dir, h.leaf())
	last := c.Taker()
	last.Last()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := last.Take(ctx); err != io.EOF {
		t.Fatalf("when all is forwarded: got %v; want io.EOF", err)
	}
	shut(t, c)
	previous := -1
	for _, body := range drain(t, remote) {
		var n int
		fmt.Sscan(body, &n)
		if n <= previous {
			t.Errorf("%d came after %d", n, previous)
		}
		previous = n
		delete(acked, n)
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged events are lost", len(acked))
	}
}
