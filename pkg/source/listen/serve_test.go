package listen_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/source/listen"
)

const bound = 10 * time.Second

// echo sends back what comes until ctx is done.
func echo(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
	io.Copy(conn, conn)
}

// serving is a call of Serve.
type serving struct {
	addr string
	stop context.CancelFunc
	done chan error
	log  bytes.Buffer // to be read when it is done
}

func serve(t *testing.T, listener net.Listener, most int, turnAway func(net.Conn)) *serving {
	t.Helper()
	s := &serving{addr: listener.Addr().String(), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(zerolog.New(&s.log).WithContext(t.Context()))
	s.stop = cancel
	go func() { s.done <- listen.Serve(ctx, listener, most, echo, turnAway) }()
	return s
}

func (s *serving) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(bound):
		t.Fatal("Serve does not return")
		return nil
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := listen.TCP(t.Context(), listen.Address{HostProperty: "bind", Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(bound))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// answers sends a word and reads it back.
func answers(conn net.Conn) bool {
	got := make([]byte, 4)
	if _, err := io.WriteString(conn, "ping"); err != nil {
		return false
	}
	_, err := io.ReadFull(conn, got)
	return err == nil && string(got) == "ping"
}

func TestServeBounds(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, turnAway := range map[string]func(net.Conn){
		"":     nil,
		"full": func(conn net.Conn) { io.WriteString(conn, "full") },
	} {
		t.Run("told "+name, func(t *testing.T) {
			s := serve(t, listener(t), 1, turnAway)
			first := dial(t, s.addr)
			if !answers(first) {
				t.Fatal("the first client is not served")
			}
			if got, err := io.ReadAll(dial(t, s.addr)); err != nil || string(got) != name {
				t.Errorf("the second client: got %q, %v; want %q", got, err, name)
			}
			if !answers(first) {
				t.Error("the first client is not served any more")
			}
			first.Close()
			for deadline := time.Now().Add(bound); !answers(dial(t, s.addr)); {
				if time.Now().After(deadline) {
					t.Fatal("the place of a client that left is not given away")
				}
			}
			s.stop()
			if err := s.wait(t); err != nil {
				t.Error(err)
			}
			if got := s.log.String(); !strings.Contains(got, "turned a client away: max-connections is 1") {
				t.Errorf("got the log %q; want that a client was turned away", got)
			}
		})
	}
}

func TestServeStops(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := serve(t, listener(t), 10, nil)
	client := dial(t, s.addr)
	if !answers(client) {
		t.Fatal("the client is not served")
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(client); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v; want a closed connection", rest, err)
	}
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
	if s.log.Len() > 0 {
		t.Errorf("got the log %q; want none", s.log.String())
	}
}

func TestServeListenerCloses(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := listener(t)
	s := serve(t, l, 10, nil)
	defer s.stop()
	client := dial(t, s.addr)
	if !answers(client) {
		t.Fatal("the client is not served")
	}
	l.Close()
	if err := s.wait(t); err == nil || !strings.HasPrefix(err.Error(), "accepting connections: ") {
		t.Errorf("got %v; want that connections cannot be accepted", err)
	}
}

// exhausted is a listener that fails at first, as where a process has no
// descriptor left.
type exhausted struct {
	net.Listener
	failures int
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.failures > 0 {
		e.failures--
		return nil, syscall.EMFILE
	}
	return e.Listener.Accept()
}

func TestServeRetries(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := serve(t, &exhausted{listener(t), 3}, 10, nil)
	if !answers(dial(t, s.addr)) {
		t.Error("the client is not served")
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	if got := strings.Count(s.log.String(), "cannot accept a connection"); got != 3 {
		t.Errorf("got %d warnings; want 3", got)
	}
}
