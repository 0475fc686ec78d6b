package stream_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/stream"
)

// asked listens for one question, which answer answers.
func asked(t *testing.T, answer func(question string, to *stream.Replier)) (addr string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := stream.Listen(path, "c1", stream.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if conn.Hello.Role != stream.Ask {
			t.Errorf("got the role %q", conn.Hello.Role)
		}
		answer(string(conn.Hello.Question), conn.Replier())
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return "unix:" + path
}

func ask(t *testing.T, ctx context.Context, addr string) *stream.Replies {
	t.Helper()
	r, err := stream.DialAsk(ctx, addr, "stat", map[string]int{"n": 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestAsk(t *testing.T) {
	addr := asked(t, func(question string, to *stream.Replier) {
		to.Say("you asked "+question, nil)
		to.Say("look", batch("a", "b"))
		to.Say("bye", nil)
		to.End(nil)
	})
	r := ask(t, t.Context(), addr)
	for _, want := range []struct {
		note   string
		bodies []string
	}{{`you asked {"n":3}`, nil}, {"look", []string{"a", "b"}}, {"bye", nil}} {
		var note string
		b, err := r.Next(&note)
		if err != nil || note != want.note {
			t.Fatalf("got %q, %v; want %q", note, err, want.note)
		}
		if (b != nil) != (want.bodies != nil) || b != nil && !slices.Equal(bodies(b), want.bodies) {
			t.Errorf("%s: got another batch than %q", note, want.bodies)
		}
	}
	if _, err := r.Next(new(string)); err != io.EOF {
		t.Errorf("got %v; want io.EOF", err)
	}
}

func TestAskIsRefused(t *testing.T) {
	addr := asked(t, func(_ string, to *stream.Replier) {
		to.End(&stream.Refused{Code: stream.Unable, Text: "what?"})
	})
	_, err := ask(t, t.Context(), addr).Next(new(string))
	var refused *stream.Refused
	if !errors.As(err, &refused) || refused.Code != stream.Unable || refused.Text != "what?" {
		t.Errorf("got %v; want the refusal", err)
	}
}

// TestAnswerWaits has an answer that nobody reads: it must not pile up anywhere, and
// it ends when the one who asked has gone.
func TestAnswerWaits(t *testing.T) {
	said, ended := 0, make(chan error, 1)
	addr := asked(t, func(_ string, to *stream.Replier) {
		big := batch(strings.Repeat("x", 1<<20))
		for {
			if err := to.Say("more", big); err != nil {
				ended <- err
				return
			}
			said++
		}
	})
	r := ask(t, t.Context(), addr)
	if _, err := r.Next(new(string)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := <-ended; err == nil || said > 16 {
		t.Errorf("%d MiB were said to nobody, then %v", said, err)
	}
}

func TestAnswerBreaksOff(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	died := ask(t, t.Context(), asked(t, func(_ string, to *stream.Replier) {
		to.Say(1, nil)
		to.Abort()
	}))
	ended := ask(t, ctx, asked(t, func(_ string, to *stream.Replier) {
		to.Say(1, nil)
		<-ctx.Done()
		to.Abort()
	}))
	for _, r := range []*stream.Replies{died, ended} {
		if _, err := r.Next(new(int)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := died.Next(new(int)); !errors.Is(err, stream.ErrDied) {
		t.Errorf("the other end has died: got %v; want ErrDied", err)
	}
	cancel(why)
	if _, err := ended.Next(new(int)); err != why {
		t.Errorf("the context is done: got %v; want its cause", err)
	}
}

// TestAskOfAnOldPeer asks a process that knows of no questions.
func TestAskOfAnOldPeer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.ReadFull(conn, make([]byte, 8)) // it speaks first
		hello, _ := json.Marshal(map[string]int{"version": 1})
		frame := append([]byte("\x89FLUME\r\n"), 1, 0, 0, 0)
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(hello)))
		frame = append(frame, make([]byte, 8)...)
		conn.Write(append(frame, hello...))
		io.Copy(io.Discard, conn)
	}()
	_, err = stream.DialAsk(t.Context(), "unix:"+path, "stat", 1)
	if err == nil || !strings.Contains(err.Error(), "older version") || len(fault.Lines(err)) < 2 {
		t.Errorf("got %v; want that the process is of an older version, and a hint", err)
	}
}
