package nonblock_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/nonblock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns both ends of a connection.
func pair(t testing.TB, network string) (ours *nonblock.Conn, theirs net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dialled.Close()
		theirs.Close()
	})
	return nonblock.NewConn(dialled), theirs
}

// each runs a test with a TCP and a Unix connection.
func each(t *testing.T, test func(t *testing.T, ours *nonblock.Conn, theirs net.Conn)) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ours, theirs := pair(t, network)
			test(t, ours, theirs)
		})
	}
}

// TestBothDirections has more go through than any buffer holds, so that writers and
// readers wait.
func TestBothDirections(t *testing.T) {
	each(t, func(t *testing.T, ours *nonblock.Conn, theirs net.Conn) {
		head, body := []byte("head"), bytes.Repeat([]byte("0123456789"), 1<<20)
		sent := append(bytes.Clone(head), body...)
		go io.Copy(theirs, theirs)
		go func() {
			if n, err := ours.WriteBoth(head, body); n != len(sent) || err != nil {
				t.Errorf("wrote %d, %v; want %d", n, err, len(sent))
			}
		}()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(ours, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("what came back is not what was sent: %v", err)
		}
	})
}

func TestEnd(t *testing.T) {
	each(t, func(t *testing.T, ours *nonblock.Conn, theirs net.Conn) {
		if _, err := theirs.Write([]byte("last")); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		if got, err := io.ReadAll(ours); string(got) != "last" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		var err error
		for deadline := time.Now().Add(time.Minute); err == nil && time.Now().Before(deadline); {
			_, err = ours.Write([]byte("x"))
		}
		var op *net.OpError
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "write" {
			t.Errorf("writing to nobody: %v", err)
		}
	})
}

// TestAsNet has reading and writing end with the errors of net.
func TestAsNet(t *testing.T) {
	each(t, func(t *testing.T, ours *nonblock.Conn, theirs net.Conn) {
		check := func(what string, want error) {
			t.Helper()
			_, readErr := ours.Read(make([]byte, 1))
			_, writeErr := ours.WriteBoth([]byte("a"), make([]byte, 32<<20))
			_, netReadErr := ours.Conn.Read(make([]byte, 1))
			for _, err := range []error{readErr, writeErr} {
				if !errors.Is(err, want) {
					t.Errorf("%s: %v; want %v", what, err, want)
				}
			}
			if readErr.Error() != netReadErr.Error() {
				t.Errorf("%s: %q; net says %q", what, readErr, netReadErr)
			}
			if strings.Contains(writeErr.Error(), "raw") {
				t.Errorf("%s: %v", what, writeErr)
			}
		}
		ours.SetDeadline(time.Now().Add(10 * time.Millisecond))
		check("after the deadline", os.ErrDeadlineExceeded)
		ours.SetDeadline(time.Time{})
		time.AfterFunc(10*time.Millisecond, func() { ours.Close() })
		check("after Close", net.ErrClosed)
	})
}

// TestWritesStayTogether has writes that are larger than the socket's buffer go on
// at the same time.
func TestWritesStayTogether(t *testing.T) {
	each(t, func(t *testing.T, ours *nonblock.Conn, theirs net.Conn) {
		const size = 1 << 20
		var writers sync.WaitGroup
		for _, c := range []byte("abcd") {
			writers.Go(func() {
				if _, err := ours.Write(bytes.Repeat([]byte{c}, size)); err != nil {
					t.Error(err)
				}
			})
		}
		go func() {
			writers.Wait()
			ours.Close()
		}()
		got, err := io.ReadAll(theirs)
		if err != nil || len(got) != 4*size {
			t.Fatalf("%d bytes came, %v", len(got), err)
		}
		for chunk := range len(got) / size {
			part := got[chunk*size:][:size]
			if !bytes.Equal(part, bytes.Repeat(part[:1], size)) {
				t.Errorf("megabyte %d is of several writes", chunk)
			}
		}
	})
}

func TestWithoutDescriptor(t *testing.T) {
	a, theirs := net.Pipe()
	ours := nonblock.NewConn(a)
	go func() {
		ours.WriteBoth([]byte("he"), []byte("llo"))
		ours.Close()
	}()
	if got, err := io.ReadAll(theirs); string(got) != "hello" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := nonblock.NewReader(r)
	if in == io.Reader(r) {
		t.Error("a pipe of our own was taken for one that blocks")
	}
	r.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	r.SetReadDeadline(time.Time{})
	go func() {
		w.WriteString("hello")
		w.Close()
	}()
	if got, err := io.ReadAll(in); string(got) != "hello" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestBlockingFile has what may block left to package os.
func TestBlockingFile(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if in := nonblock.NewReader(f); in != io.Reader(f) {
		t.Errorf("%T; want the file", in)
	}
}

func TestAllocatesNothing(t *testing.T) {
	each(t, func(t *testing.T, ours *nonblock.Conn, theirs net.Conn) {
		back := nonblock.NewConn(theirs)
		head, body := make([]byte, 16), make([]byte, 1000)
		buf := make([]byte, len(head)+len(body))
		if n := testing.AllocsPerRun(100, func() {
			if _, err := ours.WriteBoth(head, body); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(back, buf); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
