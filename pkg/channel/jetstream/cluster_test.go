package jetstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/option"
)

// nodeConfig is a server of a cluster, in a process of its own.
type nodeConfig struct {
	Name          string
	Dir           string
	Port, Cluster int
	Routes        string
}

// node runs a server until it is killed.
func node(args string) error {
	var conf nodeConfig
	if err := json.Unmarshal([]byte(args), &conf); err != nil {
		return err
	}
	o := &server.Options{
		ServerName: conf.Name,
		Host:       "127.0.0.1",
		Port:       conf.Port,
		NoSigs:     true,
		NoLog:      true,
		JetStream:  true,
		StoreDir:   conf.Dir,
	}
	if conf.Routes != "" {
		o.Cluster = server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: conf.Cluster}
		o.Routes = server.RoutesFromStr(conf.Routes)
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		return fmt.Errorf("%s is not ready", conf.Name)
	}
	fmt.Println("ready")
	s.WaitForShutdown()
	return nil
}

// cluster is three servers in processes of their own.
type cluster struct {
	nodes []nodeConfig
	procs map[string]*exec.Cmd
	urls  string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{procs: make(map[string]*exec.Cmd)}
	var routes, urls []string
	for i := range 3 {
		n := nodeConfig{Name: fmt.Sprintf("n%d", i), Dir: t.TempDir(), Port: freePort(t), Cluster: freePort(t)}
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", n.Cluster))
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", n.Port))
		c.nodes = append(c.nodes, n)
	}
	c.urls = strings.Join(urls, ",")
	for i := range c.nodes {
		c.nodes[i].Routes = strings.Join(routes, ",")
		c.launch(t, c.nodes[i])
	}
	return c
}

func (c *cluster) launch(t *testing.T, n nodeConfig) {
	t.Helper()
	c.procs[n.Name] = n.launch(t)
}

func (n nodeConfig) launch(t testing.TB) *exec.Cmd {
	t.Helper()
	args, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	process, said := launch(t, "node", string(args))
	if !said.Scan() {
		t.Fatalf("%s has not started", n.Name)
	}
	return process
}

// killLeader kills the process of the server that leads the stream, and starts
// it again.
func (c *cluster) killLeader(t *testing.T, stream string) {
	t.Helper()
	nc, err := nats.Connect(c.urls)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	api, err := js.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		s, err := api.Stream(ctx, stream)
		if ctx.Err() != nil {
			t.Fatalf("the stream has no leader: %v", err)
		}
		if err != nil || s.CachedInfo().Cluster.Leader == "" {
			continue
		}
		leader := s.CachedInfo().Cluster.Leader
		c.procs[leader].Process.Kill()
		c.procs[leader].Wait()
		for _, n := range c.nodes {
			if n.Name == leader {
				c.launch(t, n)
			}
		}
		return
	}
}

// TestClusterLosesItsLeader holds that a node killed in the middle of puts and
// takes costs nothing: all that was acknowledged is delivered, what was taken
// for good is not delivered again, and the order is kept.
func TestClusterLosesItsLeader(t *testing.T) {
	const events = 30000
	c := newCluster(t)
	o := options(c.urls)
	o.Replicas = 3
	o.ConnectWait = option.Seconds(30 * time.Second)
	o.AckWait = option.Seconds(3 * time.Second)
	puts, takes := open(t, o), open(t, o)

	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() {
		if err := putNumbers(puts.Putter(), 0, events, 10); err != nil {
			t.Errorf("putting: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	taker := takes.Taker()
	defer taker.Close()
	var got []string
	var commits sync.WaitGroup
	killed := false
	for len(got) < events {
		take, err := taker.Take(ctx)
		if err != nil {
			t.Fatalf("taking, after %d of %d events: %v", len(got), events, err)
		}
		got = append(got, strings.Fields(channeltest.Bodies(take.Batch()))...)
		commits.Go(func() {
			if err := take.Commit(); err != nil {
				t.Errorf("committing: %v", err)
			}
		})
		if !killed && len(got) > events/3 {
			killed = true
			work.Go(func() { c.killLeader(t, o.Stream) })
		}
	}
	commits.Wait()
	wantNumbers(t, got, events)
	if rest := drain(t, takes); len(rest) > 0 {
		t.Errorf("%d events were delivered after their take was committed: %.3q", len(rest), rest)
	}
}

// takerVictim takes, commits every other batch and keeps the rest until it is
// killed.
func takerVictim(url string) error {
	o := options(url)
	o.AckWait = option.Seconds(2 * time.Second)
	c, err := o.Open(context.Background(), nil)
	if err != nil {
		return err
	}
	taker := c.Taker()
	for i := 0; ; i++ {
		take, err := taker.Take(context.Background())
		if err != nil {
			return err
		}
		if i%2 == 0 {
			if err := take.Commit(); err != nil {
				return err
			}
			fmt.Println("committed", channeltest.Bodies(take.Batch()))
		} else {
			fmt.Println("held", channeltest.Bodies(take.Batch()))
		}
	}
}

// TestKilledTaker holds that what a killed process had taken comes again, and
// before all that was put after it.
func TestKilledTaker(t *testing.T) {
	s := serve(t)
	o := options(s.ClientURL())
	o.AckWait = option.Seconds(2 * time.Second)
	c := open(t, o)
	p := c.Putter()
	for i := range 20 {
		channeltest.Put(t, p, fmt.Sprint(i))
	}
	process, said := launch(t, "taker", s.ClientURL())
	for range 20 {
		if !said.Scan() {
			t.Fatal("the taker has ended")
		}
	}
	process.Process.Kill()
	process.Wait()
	for i := 20; i < 25; i++ {
		channeltest.Put(t, p, fmt.Sprint(i))
	}
	want := "1 3 5 7 9 11 13 15 17 19 20 21 22 23 24"
	if got := strings.Join(drain(t, c), " "); got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

// TestStuckTaker holds that a batch in a taker's hands is given to nobody else,
// however long that takes.
func TestStuckTaker(t *testing.T) {
	s := serve(t)
	o := options(s.ClientURL())
	o.AckWait = option.Seconds(time.Second)
	stuck, other := open(t, o), open(t, o)
	p := stuck.Putter()
	channeltest.Put(t, p, "a")
	held := channeltest.Take(t, stuck.Taker(), "a")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	taker := other.Taker()
	if got, err := taker.Take(ctx); err != context.DeadlineExceeded {
		t.Errorf("somebody else took %v, %v", got, err)
	}
	held.Return()
	channeltest.Commit(t, channeltest.Take(t, stuck.Taker(), "a"))
	channeltest.Put(t, p, "b")
	shut(t, stuck)
	channeltest.Commit(t, channeltest.Take(t, taker, "b"))
}
