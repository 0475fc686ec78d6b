package channel_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/event"
)

// The process that is killed: this test's own executable, started with these in
// its environment. It says on standard output what it has done:
//
//	put ROUND.PUTTER.N     a put was committed
//	take ROUND.PUTTER.N    an event was delivered, and its take is to be committed
//	commit ROUND.PUTTER.N  the take was committed
const (
	victimDir   = "FLUMEKIT_TEST_VICTIM_DIR"
	victimRound = "FLUMEKIT_TEST_VICTIM_ROUND"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		work := victim
		if point := os.Getenv(victimPoint); point != "" {
			killAt(point, os.Getenv(victimPass))
			work = pointVictim(point)
		}
		if err := work(dir, os.Getenv(victimRound)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// victim puts and takes until it is killed.
func victim(dir, round string) error {
	d, err := channel.LockDir(dir)
	if err != nil {
		return err
	}
	few := limits
	few.Events = 500
	c, err := channel.OpenQueue(context.Background(), embedded.Open, channel.Config{Limits: few, Dir: d, TrimBytes: 50_000})
	if err != nil {
		return err
	}
	fmt.Println("open", c.Len())
	for i := range 4 {
		go feed(c.Putter(), fmt.Sprintf("%s.%d", round, i), 1+i*i)
	}
	taker := c.Taker()
	for held := []channel.Take(nil); ; {
		take, err := taker.Take(context.Background())
		if err != nil {
			return err
		}
		if held = append(held, take); len(held) < 3 {
			continue
		}
		which := rand.IntN(len(held))
		if rand.IntN(5) == 0 {
			held[which].Return()
		} else {
			say("take", held[which].Batch())
			if err := held[which].Commit(); err != nil {
				return err
			}
			say("commit", held[which].Batch())
		}
		held = append(held[:which], held[which+1:]...)
	}
}

// feed keeps puts of some events each under way.
func feed(p channel.Putter, name string, each int) {
	room := make(chan struct{}, 3)
	for n := 0; ; {
		b := new(event.Batch)
		for range each {
			b.Append(event.Event{Body: fmt.Appendf(nil, "%s.%d %s", name, n, strings.Repeat("x", rand.IntN(1000)))})
			n++
		}
		said := b.Clone()
		room <- struct{}{}
		p.Put(b, true, func(err error) {
			if err == nil {
				say("put", said)
			}
			<-room
		})
	}
}

// say writes a line an event in one write, which a kill cannot tear.
func say(what string, b *event.Batch) {
	var lines []byte
	for e := range b.All() {
		id, _, _ := strings.Cut(string(e.Body), " ")
		lines = fmt.Appendln(lines, what, id)
	}
	os.Stdout.Write(lines)
}

// account is what the victims said.
type account struct {
	put, taken, committed map[string]bool
	again                 []string // delivered after their commit
}

func newAccount() *account {
	return &account{put: map[string]bool{}, taken: map[string]bool{}, committed: map[string]bool{}}
}

func (a *account) hear(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		what, id, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			continue
		}
		switch what {
		case "put":
			a.put[id] = true
		case "take":
			a.taken[id] = true
			if a.committed[id] {
				a.again = append(a.again, id)
			}
		case "commit":
			a.committed[id] = true
		}
	}
}

// settle holds what the victims said to what is left.
func (a *account) settle(t *testing.T, dir string) {
	t.Helper()
	c, _ := open(t, dir, limits)
	held, left := c.Len(), make(map[string]bool)
	taker := c.Taker()
	taker.Last()
	lastOf := make(map[string]int)
	for {
		take, err := taker.Take(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for e := range take.Batch().All() {
			id, _, _ := strings.Cut(string(e.Body), " ")
			if a.committed[id] {
				a.again = append(a.again, id)
			}
			left[id] = true
			dot := strings.LastIndexByte(id, '.')
			n, _ := strconv.Atoi(id[dot+1:])
			if last, ok := lastOf[id[:dot]]; ok && n <= last {
				t.Errorf("%s came after %d", id, last)
			}
			lastOf[id[:dot]] = n
		}
		channeltest.Commit(t, take)
	}
	t.Logf("%d events put, %d committed by takers, %d left", len(a.put), len(a.committed), len(left))
	if len(left) != held {
		t.Errorf("%d events were left; it said it held %d", len(left), held)
	}
	if len(a.again) > 0 {
		t.Errorf("%d events were delivered after their take was committed: %.3q", len(a.again), a.again)
	}
	lost := 0
	for id := range a.put {
		if !a.taken[id] && !left[id] {
			lost++
			t.Logf("lost: %s", id)
		}
	}
	if lost > 0 || len(a.put) == 0 {
		t.Errorf("%d of %d events that were put are lost", lost, len(a.put))
	}
}

func TestKilledProcessLosesNothing(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	heard := newAccount()
	for round := range rounds {
		process := exec.Command(os.Args[0])
		process.Env = append(os.Environ(), victimDir+"="+dir, victimRound+"="+strconv.Itoa(round))
		process.Stderr = os.Stderr
		said, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(said)
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("round %d: it did not open: %v", round, process.Wait())
		}
		time.AfterFunc(time.Duration(rand.IntN(250))*time.Millisecond, func() { process.Process.Kill() })
		heard.hear(lines)
		process.Wait()
	}
	heard.settle(t, dir)
}
