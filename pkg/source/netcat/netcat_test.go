package netcat_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/netcat"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
)

// options returns the defaults, on a free port.
func options() *netcat.Options {
	return &netcat.Options{Bind: "127.0.0.1", MaxLineLength: 512, AckEveryEvent: true, MaxConnections: 1024}
}

func charset(t *testing.T, name string) option.Charset {
	t.Helper()
	var c option.Charset
	if err := c.UnmarshalText([]byte(name)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPromises(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New:  func(*testing.T, []string) source.Options { return options() },
		Send: send,
		Refused: map[string]func(*testing.T) source.Options{
			"port": func(t *testing.T) source.Options {
				opt := options()
				opt.Port = option.Int(sourcetest.TakenPort(t))
				return opt
			},
			"bind": func(*testing.T) source.Options {
				opt := options()
				opt.Bind = "192.0.2.1" // TEST-NET: nobody's
				return opt
			},
		},
	})
}

// send sends lines and returns their answers.
func send(t *testing.T, addr net.Addr, lines []string) []error {
	answers := make([]error, len(lines))
	client, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Error(err)
		return answers
	}
	defer client.Close()
	fmt.Fprint(client, strings.Join(lines, "\n")+"\n")
	in := bufio.NewReader(client)
	for i := range answers {
		switch answer, err := in.ReadString('\n'); {
		case err != nil:
			answers[i] = err
		case answer != "OK\n":
			answers[i] = errors.New(answer)
		}
	}
	return answers
}

// expect reads exactly want, in as many reads as it takes.
func expect(t testing.TB, client io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(client, got)
	if err != nil || string(got) != want {
		t.Fatalf("got the answer %q, %v; want %q", got[:n], err, want)
	}
}

func TestAnswers(t *testing.T) {
	const (
		tooLong  = "FAILED: Event exceeds the maximum length (512 chars, including newline)\n"
		notUTF8  = "FAILED: Event is not valid UTF-8\n"
		fullText = "FAILED: Space for commit to queue couldn't be acquired. " +
			"Sinks are likely not keeping up with sources, or the buffer size is too tight\n"
	)
	a511 := strings.Repeat("a", 511)
	for _, tt := range []struct {
		name    string
		opt     func(*netcat.Options)
		sent    string
		answers string
		events  []string
	}{
		{"lines as they are", nil, "hello\r\nworld\n\npartial", "OK\nOK\nOK\nOK\n", []string{"hello\r", "world", "", "partial"}},
		{"nothing", nil, "", "", nil},
		{"the longest line", nil, a511 + "\n", "OK\n", []string{a511}},
		{"the longest line without a newline", nil, a511, "OK\n", []string{a511}},
		{"a line too long", nil, strings.Repeat("b", 512), tooLong, nil},
		{"a line too long with its newline", nil, strings.Repeat("b", 512) + "\n", tooLong, nil},
		{"lines around one too long", nil, "ok1\n" + strings.Repeat("c", 512) + "\nafter\n", "OK\n" + tooLong, []string{"ok1"}},
		{"characters, not bytes, are counted", nil, strings.Repeat("é", 511) + "\n", "OK\n", []string{strings.Repeat("é", 511)}},
		{"a character beyond 16 bits counts twice", nil, strings.Repeat("😀", 256) + "\n", tooLong, nil},
		{"just as many as fit", nil, strings.Repeat("😀", 255) + "\n", "OK\n", []string{strings.Repeat("😀", 255)}},
		{"a bad line among good ones", nil, "good\nbad\xff\xfebytes\nnext\n", "OK\n" + notUTF8 + "OK\n", []string{"good", "next"}},
		{"a bad last line", nil, "good\nbad\xff", "OK\n" + notUTF8, []string{"good"}},
		{"U+FFFD in UTF-8", nil, "\uFFFD\n", "OK\n", []string{"\uFFFD"}},
		{"no acknowledgements", func(o *netcat.Options) { o.AckEveryEvent = false }, "a\nb\nbad\xff\n", notUTF8, []string{"a", "b"}},
		{"Latin-1", func(o *netcat.Options) { o.Encoding = charset(t, "ISO-8859-1") }, "caf\xe9\n", "OK\n", []string{"café"}},
		{"UTF-16BE", func(o *netcat.Options) { o.Encoding = charset(t, "UTF-16BE") }, "\x00h\x00\xe9\x00\n\x00x\x00\n", "\x00O\x00K\x00\n\x00O\x00K\x00\n", []string{"hé", "x"}},
		{"UTF-16LE", func(o *netcat.Options) { o.Encoding = charset(t, "UTF-16LE") }, "h\x00\xe9\x00\n\x00", "O\x00K\x00\n\x00", []string{"hé"}},
		{"bad Shift_JIS", func(o *netcat.Options) { o.Encoding = charset(t, "Shift_JIS") }, "a\n\x81\n\xb1\n", "OK\nFAILED: Event is not valid Shift_JIS\nOK\n", []string{"a", "ｱ"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := options()
			if tt.opt != nil {
				tt.opt(opt)
			}
			var put sourcetest.Collector
			client := sourcetest.Dial(t, sourcetest.Listen(t, opt, &put))
			io.WriteString(client, tt.sent)
			client.CloseWrite()
			answers, err := io.ReadAll(client)
			if err != nil || string(answers) != tt.answers {
				t.Errorf("got %q, %v; want %q", answers, err, tt.answers)
			}
			if got := put.Bodies(); !slices.Equal(got, tt.events) {
				t.Errorf("got the events %q; want %q", got, tt.events)
			}
		})
	}

	t.Run("a full channel, without acknowledgements", func(t *testing.T) {
		opt := options()
		opt.AckEveryEvent = false
		put := sourcetest.Collector{Max: 2}
		client := sourcetest.Dial(t, sourcetest.Listen(t, opt, &put))
		io.WriteString(client, "1\n2\n")
		put.Await(t, 2)
		put.Fill()
		io.WriteString(client, "3\n4\n")
		expect(t, client, fullText+fullText)
		if got := put.Bodies(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("got %q; want the first two", got)
		}
	})

	t.Run("a reason of several lines", func(t *testing.T) {
		var put sourcetest.Collector
		put.Fail(errors.New("one\ntwo\r\nthree"))
		client := sourcetest.Dial(t, sourcetest.Listen(t, options(), &put))
		io.WriteString(client, "x\n")
		expect(t, client, "FAILED: one two three\n")
	})
}

func TestOneLineAtATime(t *testing.T) {
	var put sourcetest.Collector
	client := sourcetest.Dial(t, sourcetest.Listen(t, options(), &put))
	for range 100 {
		io.WriteString(client, "line\n")
		expect(t, client, "OK\n")
	}
	io.WriteString(client, "in two")
	io.WriteString(client, " parts\n")
	expect(t, client, "OK\n")
	if got := put.Bodies()[100]; got != "in two parts" {
		t.Errorf("got %q; want the line whole", got)
	}
}

func TestLinesAcrossReads(t *testing.T) {
	opt := options()
	opt.MaxLineLength = 1 << 20
	put := sourcetest.Collector{Max: 100}
	client := sourcetest.Dial(t, sourcetest.Listen(t, opt, &put))
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint(i)+strings.Repeat("é", i*i))
	}
	go io.WriteString(client, strings.Join(want, "\n")+"\n")
	expect(t, client, strings.Repeat("OK\n", len(want)))
	if got := put.Bodies(); !slices.Equal(got, want) {
		t.Errorf("got %d lines; want %d as they were sent", len(got), len(want))
	}
	for _, batch := range put.Batches() {
		if len(batch) > 100 {
			t.Errorf("got a batch of %d; want at most MaxEvents", len(batch))
		}
	}
}

func TestClientThatLeavesWithoutItsAnswers(t *testing.T) {
	var put sourcetest.Collector
	put.Hold()
	addr := sourcetest.Listen(t, options(), &put)
	client := sourcetest.Dial(t, addr)
	io.WriteString(client, "a\nb\nc")
	client.Close()
	put.AwaitCaller(t)
	put.Accept()
	put.Await(t, 3)
}

func TestStopClosesIdleConnections(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	src, err := options().Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var put sourcetest.Collector
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, &put) }()
	client := sourcetest.Dial(t, src.(source.Addresser).Addr())
	io.WriteString(client, "whole\nhal")
	expect(t, client, "OK\n")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if rest, err := io.ReadAll(client); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v; want a closed connection", rest, err)
	}
	if got := put.Bodies(); !slices.Equal(got, []string{"whole"}) {
		t.Errorf("got %q; want the line that was whole", got)
	}
	if c, err := net.Dial("tcp", client.RemoteAddr().String()); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

func TestMaxConnections(t *testing.T) {
	opt := options()
	opt.MaxConnections = 1
	var put sourcetest.Collector
	addr := sourcetest.Listen(t, opt, &put)
	first := sourcetest.Dial(t, addr)
	io.WriteString(first, "a\n")
	expect(t, first, "OK\n")
	second := sourcetest.Dial(t, addr)
	expect(t, second, "FAILED: Too many connections (1)\n")
	if _, err := second.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the second connection: got %v; want EOF", err)
	}
	io.WriteString(first, "b\n")
	expect(t, first, "OK\n")
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct{ word, bind, port string }{
		{":44444", "0.0.0.0", "44444"},
		{"44444", "0.0.0.0", "44444"},
		{"localhost:1", "localhost", "1"},
		{"[::1]:44444", "::1", "44444"},
		{"::1", "", ""},
		{"a:b:c", "", ""},
	} {
		got, err := netcat.Spec.Target.Properties(tt.word)
		if (err != nil) != (tt.port == "") || got["bind"] != tt.bind || got["port"] != tt.port {
			t.Errorf("%s: got %v, %v; want %s, %s", tt.word, got, err, tt.bind, tt.port)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := options().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for property, spoil := range map[string]func(*netcat.Options){
		"port":            func(o *netcat.Options) { o.Port = 65536 },
		"max-line-length": func(o *netcat.Options) { o.MaxLineLength = 0 },
		"max-connections": func(o *netcat.Options) { o.MaxConnections = 0 },
	} {
		opt := options()
		spoil(opt)
		if err := opt.Validate(); err == nil || !strings.HasPrefix(err.Error(), property+" is ") {
			t.Errorf("%s: got %v; want an error that names it", property, err)
		}
	}
}

func TestManual(t *testing.T) {
	if !strings.HasPrefix(netcat.Spec.Manual, "Package netcat is the netcat source") {
		t.Errorf("got %.40q; want the package comment", netcat.Spec.Manual)
	}
}

func BenchmarkLines(b *testing.B) {
	put := sourcetest.Collector{Forget: true}
	client := sourcetest.Dial(b, sourcetest.Listen(b, options(), &put))
	client.SetDeadline(time.Time{})
	const lines = 1000
	chunk := bytes.Repeat(append(bytes.Repeat([]byte("x"), 199), '\n'), lines)
	b.SetBytes(lines * 200)
	b.ResetTimer()
	answered := make(chan error)
	go func() {
		_, err := io.CopyN(io.Discard, client, int64(b.N)*lines*3)
		answered <- err
	}()
	for range b.N {
		if _, err := client.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-answered; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "events/s")
}
