package rpc_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/rpc"
)

// recorded returns what client and server sent, line by line.
func recorded(t *testing.T, name string) (sent, answered [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		side, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		if side == ">" {
			sent = append(sent, data)
		} else {
			answered = append(answered, data)
		}
	}
	return sent, answered
}

// readFrame reads a frame and returns it with its buffers joined to one.
func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	joined := slices.Clone(head[:4])
	for range binary.BigEndian.Uint32(head[4:]) {
		length := make([]byte, 4)
		if _, err := io.ReadFull(r, length); err != nil {
			return nil, err
		}
		buffer := make([]byte, binary.BigEndian.Uint32(length))
		if _, err := io.ReadFull(r, buffer); err != nil {
			return nil, err
		}
		joined = append(joined, buffer...)
	}
	return joined, nil
}

func joined(t *testing.T, frame []byte) []byte {
	t.Helper()
	data, err := readFrame(bytes.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// events are those of plain.txt and deflate.txt, request by request.
var events = []string{
	"{k=v}hello", "{}b0 {}b1 {}b2",
	"{host=a žlutý=kůň timestamp=1700000000000}\x00\xff\x7f", "{}",
}

func text(requests [][]event.Event) []string {
	var all []string
	for _, request := range requests {
		var each []string
		for _, e := range request {
			var headers []string
			for k, v := range e.Headers.All() {
				headers = append(headers, k+"="+v)
			}
			each = append(each, fmt.Sprintf("{%s}%s", strings.Join(headers, " "), e.Body))
		}
		all = append(all, strings.Join(each, " "))
	}
	return all
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(bound))
	return conn
}

func TestServerAnswersAsFlumeDoes(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		sent, answered := recorded(t, "plain")
		p := new(peer).start(t)
		conn := dial(t, p.addr)
		for i := range sent {
			conn.Write(sent[i])
			got, err := readFrame(conn)
			if want := joined(t, answered[i]); err != nil || !bytes.Equal(got, want) {
				t.Errorf("request %d: got the answer %x, %v; want %x", i, got, err, want)
			}
		}
		if got := text(p.requests); !slices.Equal(got, events) {
			t.Errorf("got the events %q; want %q", got, events)
		}
	})
	t.Run("FAILED", func(t *testing.T) {
		sent, answered := recorded(t, "full")
		p := new(peer).start(t)
		conn := dial(t, p.addr)
		for i := range sent {
			conn.Write(sent[i])
			got, err := readFrame(conn)
			if want := joined(t, answered[i]); err != nil || !bytes.Equal(got, want) {
				t.Errorf("request %d: got the answer %x, %v; want %x", i, got, err, want)
			}
			p.refuse(errors.New("full"))
		}
	})
	t.Run("deflate", func(t *testing.T) {
		sent, _ := recorded(t, "deflate")
		p := (&peer{Server: rpc.Server{Compression: rpc.Deflate}}).start(t)
		conn := dial(t, p.addr)
		conn.Write(sent[0])
		conn.(*net.TCPConn).CloseWrite()
		io.ReadAll(conn)
		if got := text(p.requests); !slices.Equal(got, events) {
			t.Errorf("got the events %q; want %q", got, events)
		}
	})
}

// TestServerLearnsProtocols has clients come whose protocol is known by no hash.
func TestServerLearnsProtocols(t *testing.T) {
	sent, _ := recorded(t, "nomatch")
	protocol := string(between(t, joined(t, sent[1]), "{", "}\x86\xaa")) + " "
	own, flume := md5.Sum([]byte(protocol)), md5.Sum([]byte("another"))
	request := func(serial uint32, text string) []byte {
		payload := own[:]
		if text == "" {
			payload = append(payload[:16:16], 0)
		} else {
			payload = append(binary.AppendVarint(append(payload[:16:16], 2), int64(len(text))), text...)
		}
		payload = append(append(payload, flume[:]...), 0)
		payload = append(payload, joined(t, sent[2])[4:]...) // append of one event, without a handshake
		frame := binary.BigEndian.AppendUint32(nil, serial)
		frame = binary.BigEndian.AppendUint32(frame, 1)
		return append(binary.BigEndian.AppendUint32(frame, uint32(len(payload))), payload...)
	}
	p := new(peer).start(t)
	ask := func(conn net.Conn, frame []byte) []byte {
		t.Helper()
		conn.Write(frame)
		answer, err := readFrame(conn)
		if err != nil {
			t.Fatal(err)
		}
		return answer[4:]
	}
	const none, client = 4, 2
	conn := dial(t, p.addr)
	if got := ask(conn, request(1, "")); got[0] != none || !bytes.Contains(got, []byte("AvroSourceProtocol")) {
		t.Errorf("got %q; want NONE and the server's protocol", got)
	}
	if got := ask(conn, request(2, protocol)); got[0] != client || !bytes.HasSuffix(got, []byte{0, 0, 0}) {
		t.Errorf("got %q; want CLIENT and OK", got)
	}
	if got := ask(dial(t, p.addr), request(1, "")); got[0] != client || !bytes.HasSuffix(got, []byte{0, 0, 0}) {
		t.Errorf("the next connection: got %q; want CLIENT and OK, as it is known now", got)
	}
	if got := len(p.requests); got != 2 {
		t.Errorf("got %d requests; want those that were understood", got)
	}
	flumes := protocol
	for name, tt := range map[string]struct{ old, new, want string }{
		"another schema":                     {`"bytes"`, `"int"`, "another org.apache.flume.source.avro.AvroFlumeEvent than Flume's"},
		"another protocol":                   {`"append`, `"send`, `the protocol "AvroSourceProtocol" is not Flume's`},
		"another message":                    {`"response":"Status"`, `"response":"null"`, "another message append"},
		"a text that is no protocol":         {"{", "[", "malformed Avro RPC"},
		"types of another name":              {"org.apache.flume.source.avro", "org.example", "another org.apache.flume.source.avro."},
		"another name, with Flume's content": {`"protocol":"AvroSourceProtocol"`, `"protocol":"Other"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if protocol = strings.ReplaceAll(flumes, tt.old, tt.new); protocol == flumes {
				t.Fatalf("no %s in %s", tt.old, flumes)
			}
			own = md5.Sum([]byte(protocol))
			conn := dial(t, p.addr)
			got := ask(conn, request(1, protocol))
			if tt.want == "" {
				if got[0] != client || !bytes.HasSuffix(got, []byte{0, 0, 0}) {
					t.Errorf("got %q; want CLIENT and OK", got)
				}
				return
			}
			if _, reason, found := bytes.Cut(got, []byte("org.apache.avro.AvroRuntimeException: ")); !found || !bytes.Contains(reason, []byte(tt.want)) {
				t.Errorf("got %q; want an error with %q", got, tt.want)
			}
			if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %d bytes more, %v; want a closed connection", n, err)
			}
		})
	}
}

// between returns what stands from the first begin to the last end, with the
// first byte of that.
func between(t *testing.T, data []byte, begin, end string) []byte {
	t.Helper()
	i, j := bytes.Index(data, []byte(begin)), bytes.LastIndex(data, []byte(end))
	if i < 0 || j < i {
		t.Fatalf("no %q and %q in %q", begin, end, data)
	}
	return data[i : j+1]
}

// asked is what our client's handshake has for metadata, where Flume's has none.
const asked = "\x02\x02\x26flumekit.max-events\x00\x00"

// replay is a server that compares what it is sent with what was recorded, and
// answers as then.
func replay(t *testing.T, name string) (addr string, done <-chan error) {
	t.Helper()
	sent, answered := recorded(t, name)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	result := make(chan error, 1)
	go func() {
		result <- func() error {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			defer conn.Close()
			for i := range sent {
				got, err := readFrame(conn)
				if err != nil {
					return err
				}
				want, err := readFrame(bytes.NewReader(sent[i]))
				if err != nil {
					return err
				}
				if got = bytes.Replace(got, []byte(asked), []byte{2, 0}, 1); !bytes.Equal(got, want) {
					return fmt.Errorf("request %d: got %x; want %x", i, got, want)
				}
				if _, err := conn.Write(answered[i]); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	return l.Addr().String(), result
}

func TestClientAsksAsFlumeDoes(t *testing.T) {
	addr, done := replay(t, "plain")
	client := open(t, options(addr))
	for i, err := range []error{
		client.Append(t.Context(), event.Event{Headers: event.NewHeaders("k", "v"), Body: []byte("hello")}),
		client.AppendBatch(t.Context(), batchOf("b0", "b1", "b2")),
		client.Append(t.Context(), event.Event{
			Headers: event.NewHeaders("host", "a", "žlutý", "kůň", "timestamp", "1700000000000"),
			Body:    []byte{0, 0xff, 0x7f},
		}),
		client.Append(t.Context(), event.Event{}),
	} {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestClientUnderstandsFailed(t *testing.T) {
	addr, done := replay(t, "full")
	client := open(t, options(addr))
	if err := client.Append(t.Context(), event.Event{Headers: event.NewHeaders("k", "v"), Body: []byte("hello")}); err != nil {
		t.Error(err)
	}
	err := client.AppendBatch(t.Context(), batchOf("b0", "b1", "b2"))
	var status *rpc.StatusError
	if !errors.As(err, &status) || status.Status != rpc.Failed || !strings.Contains(err.Error(), "returned Status: FAILED") {
		t.Errorf("got %v; want the status FAILED", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestClientTellsItsProtocol has the server that was recorded with a client it
// did not know answer a client of ours.
func TestClientTellsItsProtocol(t *testing.T) {
	_, answered := recorded(t, "nomatch")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	requests := make(chan []byte, len(answered))
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for _, answer := range answered {
			request, err := readFrame(conn)
			if err != nil {
				return
			}
			requests <- request
			conn.Write(answer)
		}
	}()
	client := open(t, options(l.Addr().String()))
	for range 2 {
		if err := client.AppendBatch(t.Context(), batchOf("x")); err != nil {
			t.Fatal(err)
		}
	}
	for i, protocol := range []bool{false, true, false} {
		if request := <-requests; bytes.Contains(request, []byte("AvroSourceProtocol")) != protocol {
			t.Errorf("request %d: %q; want the protocol in it: %v", i, request, protocol)
		}
	}
}
