package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hamba/avro/v2/ocf"
	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipe returns the two ends of a pipe, which the test's end closes.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func batch(bodies ...string) *event.Batch {
	b := new(event.Batch)
	for _, body := range bodies {
		b.Append(event.Event{Headers: event.NewHeaders("n", fmt.Sprint(len(body))), Body: []byte(body)})
	}
	return b
}

func bodies(b *event.Batch) []string {
	var all []string
	for e := range b.All() {
		all = append(all, string(e.Body))
	}
	return all
}

// stdout opens a Writer on w as a command does.
func stdout(t *testing.T, w *os.File, opt stream.StdoutOptions) *stream.Writer {
	t.Helper()
	if opt.Format == "" {
		opt.Format = stream.Auto
	}
	writer, err := stream.OpenStdout(t.Context(), w, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Abort(stream.ErrClosed) })
	return writer
}

func stdin(t *testing.T, f *os.File) *stream.Reader {
	t.Helper()
	r := stream.OpenStdin(f, "k1", stream.Bounds{})
	t.Cleanup(func() { r.Close(); f.Close() })
	return r
}

func next(t *testing.T, r *stream.Reader) *stream.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	d, err := r.Next(ctx)
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return d
}

func wantEnd(t *testing.T, r *stream.Reader, want error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if d, err := r.Next(ctx); !errors.Is(err, want) {
		t.Fatalf("Next: %v, %v; want %v", d, err, want)
	}
}

func TestPipeCarriesAcknowledgements(t *testing.T) {
	in, out := pipe(t)
	r := stdin(t, in)
	w := stdout(t, out, stream.StdoutOptions{Ack: stream.AckRequire})

	first, second, third := w.Send(batch("a", "b"), true), w.Send(batch("c"), false), w.Send(batch("d"), true)
	d1, d2, d3 := next(t, r), next(t, r), next(t, r)
	if got := bodies(d1.Batch); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q; want a, b", got)
	}
	if !d1.Wait || d2.Wait || !d3.Wait {
		t.Errorf("Wait = %v, %v, %v; want true, false, true", d1.Wait, d2.Wait, d3.Wait)
	}
	d3.Commit()
	d2.Refuse(stream.Full, "no room")
	select {
	case <-third.Done():
		t.Error("the third batch was answered before the first")
	default:
	}
	d1.Commit()
	if err := first.Wait(); err != nil {
		t.Errorf("the first: %v", err)
	}
	var refused *stream.Refused
	if err := second.Wait(); !errors.As(err, &refused) || refused.Code != stream.Full || refused.Text != "no room" {
		t.Errorf("the second: %v; want it refused", err)
	}
	if err := third.Wait(); err != nil {
		t.Errorf("the third: %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantEnd(t, r, io.EOF)
}

func TestWritersFollowOneAnother(t *testing.T) {
	in, out := pipe(t)
	r := stdin(t, in)
	for _, body := range []string{"a", "b"} {
		w := stdout(t, dup(t, out), stream.StdoutOptions{Ack: stream.AckRequire})
		receipt := w.Send(batch(body), true)
		d := next(t, r)
		if got := bodies(d.Batch); !slices.Equal(got, []string{body}) {
			t.Errorf("got %q; want %s", got, body)
		}
		d.Commit()
		if err := receipt.Wait(); err != nil {
			t.Error(err)
		}
		if err := w.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	out.Close()
	wantEnd(t, r, io.EOF)
}

// TestStreamsThatComeTogether writes two streams to a pipe at once, as cat does
// with two files, and leaves it open.
func TestStreamsThatComeTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "frames")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := stdout(t, f, stream.StdoutOptions{Format: stream.Frame})
	if err := w.Send(batch("a"), true).Wait(); err != nil {
		t.Error(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	frames, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	in, out := pipe(t)
	r := stdin(t, in)
	if _, err := out.Write(slices.Concat(frames, frames)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d := next(t, r) // hangs if the second is only looked at when more comes
		if got := bodies(d.Batch); !slices.Equal(got, []string{"a"}) {
			t.Errorf("got %q; want a", got)
		}
		d.Commit()
	}
	out.Close()
	wantEnd(t, r, io.EOF)
}

func TestTwoWritersAtOnceAreRefused(t *testing.T) {
	_, out := pipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := make(chan error, 2)
	for range 2 {
		end := dup(t, out)
		go func() {
			_, err := stream.OpenStdout(ctx, end, stream.StdoutOptions{Format: stream.Auto, Ack: stream.AckRequire})
			ends <- err
		}()
	}
	if err := <-ends; err == nil || !strings.Contains(err.Error(), "another process already writes") {
		t.Errorf("the one that came second: %v", err)
	}
	cancel()
	if err := <-ends; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that came first: %v", err)
	}
}

func dup(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := dupFD(f)
	if err != nil {
		t.Fatal(err)
	}
	d := os.NewFile(uintptr(fd), f.Name())
	t.Cleanup(func() { d.Close() })
	return d
}

func TestWriterThatDiesIsNoEnd(t *testing.T) {
	in, out := pipe(t)
	r := stdin(t, in)
	w := stdout(t, out, stream.StdoutOptions{Ack: stream.AckRequire})
	w.Send(batch("a"), true)
	next(t, r)
	w.Abort(errors.New("killed"))
	wantEnd(t, r, stream.ErrDied)
}

func TestReaderThatDiesIsNoticed(t *testing.T) {
	in, out := pipe(t)
	r := stdin(t, in)
	w := stdout(t, out, stream.StdoutOptions{Ack: stream.AckRequire})
	receipt := w.Send(batch("a"), true)
	next(t, r)
	r.Close()
	in.Close()
	if err := receipt.Wait(); !errors.Is(err, stream.ErrDied) {
		t.Errorf("the receipt: %v; want ErrDied", err)
	}
	<-w.Done()
	if err := w.Send(batch("b"), true).Wait(); !errors.Is(err, stream.ErrDied) {
		t.Errorf("the next: %v; want ErrDied", err)
	}
}

func TestWindowBoundsWhatIsUnderWay(t *testing.T) {
	in, out := pipe(t)
	r := stream.OpenStdin(in, "k1", stream.Bounds{WindowBatches: 2})
	t.Cleanup(r.Close)
	w := stdout(t, out, stream.StdoutOptions{Ack: stream.AckRequire})
	w.Send(batch("a"), true)
	w.Send(batch("b"), true)
	sent := make(chan struct{})
	go func() {
		w.Send(batch("c"), true)
		close(sent)
	}()
	first := next(t, r)
	second := next(t, r)
	select {
	case <-sent:
		t.Error("a third batch went out while two were under way")
	default:
	}
	first.Commit()
	<-sent
	second.Commit()
	next(t, r).Commit()
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestForeignReaderGetsJSONLines(t *testing.T) {
	in, out := pipe(t)
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(in)
		read <- string(text)
	}()
	var notices []string
	w := stdout(t, out, stream.StdoutOptions{Notice: func(text string) { notices = append(notices, text) }})
	b := new(event.Batch)
	b.Append(event.Event{Headers: event.NewHeaders("k", "v"), Body: []byte("text")})
	b.Append(event.Event{Body: []byte{0xff}})
	for range 2 {
		if err := w.Send(b, true).Wait(); err != nil {
			t.Error(err)
		}
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	want := strings.Repeat(`{"headers":{"k":"v"},"body":"text"}`+"\n"+`{"headers":{},"body64":"/w=="}`+"\n", 2)
	if got := <-read; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if len(notices) != 1 {
		t.Errorf("notices: %q; want one", notices)
	}
}

// TestALateReaderOfOursIsNotForeign starts the reader after the writer has begun
// to write lines: what nobody read before counts for nothing, and comes as a frame.
// Lines that others wrote before, and what a foreign reader left, come as they are.
func TestALateReaderOfOursIsNotForeign(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before string // in the pipe, of a foreign writer
		take   int    // bytes that a foreign reader takes before ours comes
		sent   []string
		want   []string
	}{
		{"its own lines", "", 0, []string{"a", "b", "c"}, []string{"a", "b", "c"}},
		{"behind another's", `{"body":"x"}` + "\n" + `{"body":"y"}` + "\n", 0, []string{"a", "b"}, []string{"x", "y", "a", "b"}},
		{"behind another reader", "", len(`{"headers":{"n":"1"},"body":"a"}` + "\n"), []string{"a", "b"}, []string{"b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, out := pipe(t)
			if _, err := out.WriteString(tt.before); err != nil {
				t.Fatal(err)
			}
			w := stdout(t, out, stream.StdoutOptions{Notice: func(text string) {
				if tt.take == 0 {
					t.Errorf("notice: %s", text)
				}
			}})
			receipt := w.Send(batch(tt.sent...), true)
			if tt.take > 0 {
				if _, err := io.ReadFull(in, make([]byte, tt.take)); err != nil {
					t.Fatal(err)
				}
				if err := receipt.Wait(); err != nil {
					t.Fatal(err)
				}
			}
			r := stdin(t, in)
			var got []string
			read := func() {
				d := next(t, r)
				got = append(got, bodies(d.Batch)...)
				if v, _ := firstEvent(d.Batch).Headers.Get("n"); v == "" && tt.before == "" {
					t.Errorf("%q have lost a header", bodies(d.Batch))
				}
				d.Commit()
			}
			for len(got) < len(tt.want) {
				if tt.take == 0 {
					select {
					case <-receipt.Done():
						t.Fatal("answered before the frame was committed")
					default:
					}
				}
				read()
			}
			if err := receipt.Wait(); err != nil {
				t.Fatal(err)
			}
			last := w.Send(batch("last"), true)
			read()
			if want := append(tt.want, "last"); !slices.Equal(got, want) {
				t.Errorf("got %q; want %q", got, want)
			}
			if err := last.Wait(); err != nil {
				t.Error(err)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Error(err)
			}
			wantEnd(t, r, io.EOF)
		})
	}
}

func TestAReaderThatNeverReadsIsNoDelivery(t *testing.T) {
	in, out := pipe(t)
	w := stdout(t, out, stream.StdoutOptions{})
	receipt := w.Send(batch("a"), true)
	in.Close()
	if err := receipt.Wait(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v; want EPIPE", err)
	}
}

func firstEvent(b *event.Batch) event.Event {
	for e := range b.All() {
		return e
	}
	return event.Event{}
}

func TestRequiredAcknowledgementsNeedAPipe(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := stream.OpenStdout(t.Context(), f, stream.StdoutOptions{Format: stream.Auto, Ack: stream.AckRequire}); err == nil {
		t.Error("a file was taken for a reader that acknowledges")
	}
}

// TestFileFormats writes a file in each format and reads it back.
func TestFileFormats(t *testing.T) {
	want := batch("one", "", "with \xff bytes", strings.Repeat("long ", 100_000))
	for _, format := range []stream.Format{stream.Auto, stream.JSON, stream.Frame, stream.Avro} {
		t.Run(string(format), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			w := stdout(t, f, stream.StdoutOptions{Format: format})
			if err := w.Send(want, true).Wait(); err != nil {
				t.Error(err)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if f, err = os.Open(path); err != nil {
				t.Fatal(err)
			}
			r := stdin(t, f)
			got := new(event.Batch)
			for {
				d, err := r.Next(t.Context())
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Error(err)
					}
					break
				}
				got.AppendBatch(d.Batch)
				d.Commit()
				d.Recycle()
			}
			if string(got.Encoded()) != string(want.Encoded()) {
				t.Errorf("got %d events, %d bytes; want %d, %d", got.Len(), got.Size(), want.Len(), want.Size())
			}
		})
	}
}

// TestAvroFilesOfOthers reads what other writers of container files may write.
func TestAvroFilesOfOthers(t *testing.T) {
	const events = `{"type":"record","name":"AvroFlumeEvent","namespace":"org.apache.flume.source.avro","fields":[` +
		`{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`
	for _, tt := range []struct {
		name, schema string
		codec        ocf.CodecName
		spoil        func(file []byte) []byte
		want         []string
		wantErr      string
	}{
		{name: "null", schema: events, codec: ocf.Null, want: []string{"a", "b"}},
		{name: "deflate", schema: events, codec: ocf.Deflate, want: []string{"a", "b"}},
		{name: "snappy", schema: events, codec: ocf.Snappy, want: []string{"a", "b"}},
		{name: "zstandard", schema: events, codec: ocf.ZStandard, want: []string{"a", "b"}},
		{name: "other records", schema: `{"type":"record","name":"x","fields":[{"name":"body","type":"bytes"}]}`,
			wantErr: "its records are not Flume's events"},
		{name: "torn", schema: events, spoil: func(file []byte) []byte { return file[:len(file)-20] }, wantErr: "reading an Avro file"},
		{name: "a block that claims a terabyte", schema: events, spoil: func(file []byte) []byte {
			return append(file, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)
		}, want: []string{"a", "b"}, wantErr: "reading an Avro file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var file bytes.Buffer
			enc, err := ocf.NewEncoder(tt.schema, &file, ocf.WithCodec(tt.codec))
			if err != nil {
				t.Fatal(err)
			}
			for _, body := range []string{"a", "b"} {
				if err := enc.Encode(map[string]any{"headers": map[string]any{"k": "v"}, "body": []byte(body)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := enc.Close(); err != nil {
				t.Fatal(err)
			}
			text := file.Bytes()
			if tt.spoil != nil {
				text = tt.spoil(text)
			}
			in, out := pipe(t)
			go func() {
				out.Write(text)
				out.Close()
			}()
			r := stdin(t, in)
			var got []string
			for {
				d, err := r.Next(t.Context())
				if err != nil {
					if tt.wantErr == "" && !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), tt.wantErr) {
						t.Errorf("got error %v; want %q", err, tt.wantErr)
					}
					break
				}
				got = append(got, bodies(d.Batch)...)
				d.Commit()
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestTextIsOneEventALine(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"lines", "a\nb\r\n\nc", []string{"a", "b\r", "", "c"}},
		{"nothing", "", nil},
		{"an event among other JSON", `{"body":"x"}` + "\n" + `{"level":"info"}` + "\nplain\n", []string{"x", `{"level":"info"}`, "plain"}},
		{"a long line", strings.Repeat("x", 1<<20) + "\nshort\n", []string{strings.Repeat("x", 1<<20), "short"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, out := pipe(t)
			go func() {
				io.WriteString(out, tt.in)
				out.Close()
			}()
			r := stdin(t, in)
			var got []string
			for {
				d, err := r.Next(t.Context())
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Error(err)
					}
					break
				}
				got = append(got, bodies(d.Batch)...)
				d.Commit()
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %.100q; want %.100q", got, tt.want)
			}
		})
	}
}

func TestASlowWritersLineComesAtOnce(t *testing.T) {
	in, out := pipe(t)
	r := stdin(t, in)
	for _, line := range []string{"a", "b"} {
		io.WriteString(out, line+"\n")
		d := next(t, r) // hangs if it waited for more
		if got := bodies(d.Batch); !slices.Equal(got, []string{line}) {
			t.Errorf("got %q; want %s", got, line)
		}
		d.Commit()
	}
}

// served runs a channel's end of sockets: each put is passed to put, each taker
// to take.
func served(t *testing.T, path string, put func(*stream.Reader), take func(*stream.Writer)) *stream.Listener {
	t.Helper()
	l, err := stream.Listen(path, "c1", stream.Bounds{MaxEvents: 100})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				if conn.Hello.Role == stream.Put {
					put(conn.Reader())
				} else {
					take(conn.Writer())
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return l
}

func TestSocketPutAndTake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c1.sock")
	through := make(chan *stream.Delivery)
	served(t, path, func(r *stream.Reader) {
		for {
			d, err := r.Next(context.Background())
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Errorf("the putting end: %v", err)
				}
				close(through)
				return
			}
			through <- d
		}
	}, func(w *stream.Writer) {
		for d := range through {
			if err := w.Send(d.Batch, true).Wait(); err != nil {
				t.Errorf("the taking end: %v", err)
			}
			d.Commit()
		}
		w.Close(context.Background())
	})
	w, err := stream.DialPut(t.Context(), "unix:"+path, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Bounds().MaxEvents; got != 100 {
		t.Errorf("the channel takes %d events a batch; want 100", got)
	}
	r, err := stream.DialTake(t.Context(), "unix:"+path, "k1", true, stream.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	receipt := w.Send(batch("a"), true)
	d := next(t, r)
	d.Commit()
	if err := receipt.Wait(); err != nil {
		t.Error(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantEnd(t, r, io.EOF)
}

// TestTakeForgetsWhatADeadChannelGave has a channel's process die: what it gave, and
// nobody has seen, is given by the next.
func TestTakeForgetsWhatADeadChannelGave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c1.sock")
	l, err := stream.Listen(path, "c1", stream.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	give := func(bodies ...string) *stream.Writer {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		w := conn.Writer()
		for _, body := range bodies {
			w.Send(batch(body), true)
		}
		return w
	}
	r, err := stream.DialTake(t.Context(), "unix:"+path, "k1", true, stream.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	w := give("a", "b", "c")
	got := bodies(next(t, r).Batch)
	w.Abort(stream.ErrClosed)
	w = give("a", "b", "c")
	for range 3 {
		d := next(t, r)
		got = append(got, bodies(d.Batch)...)
		d.Commit()
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantEnd(t, r, io.EOF)
	if want := []string{"a", "a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestPutComesBackAfterAChannelDied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c1.sock")
	var mu sync.Mutex
	var got []string
	dead := true
	put := func(r *stream.Reader) {
		for {
			d, err := r.Next(context.Background())
			if err != nil {
				return
			}
			mu.Lock()
			if dead { // it got the batch and never answers
				dead = false
				mu.Unlock()
				r.Close()
				return
			}
			got = append(got, bodies(d.Batch)...)
			mu.Unlock()
			d.Commit()
		}
	}
	served(t, path, put, nil)
	w, err := stream.DialPut(t.Context(), "unix:"+path, "r1")
	if err != nil {
		t.Fatal(err)
	}
	receipts := []*stream.Receipt{w.Send(batch("a"), true), w.Send(batch("b"), false), w.Send(batch("c"), true)}
	for i, r := range receipts {
		if err := r.Wait(); err != nil {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q; want a, b, c", got)
	}
}

func TestListenReplacesTheSocketOfTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c1.sock")
	l, err := stream.Listen(path, "c1", stream.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Listen(path, "c1", stream.Bounds{}); err == nil || !strings.Contains(err.Error(), "another process does") {
		t.Errorf("a second listener: %v; want an error", err)
	}
	l.Close()
	leaveSocket(t, path)
	l, err = stream.Listen(path, "c1", stream.Bounds{})
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	l.Close()
}

func TestUnixPath(t *testing.T) {
	for _, addr := range []string{"", "unix:", "/tmp/x", "tcp:1"} {
		if _, err := stream.UnixPath(addr); err == nil {
			t.Errorf("UnixPath(%q) gave no error", addr)
		}
	}
	if path, err := stream.UnixPath("unix:/tmp/x"); path != "/tmp/x" || err != nil {
		t.Errorf("got %q, %v", path, err)
	}
}

// FuzzStdin feeds any bytes to a reader: it must end, and pass on only sound
// batches within its bounds.
func FuzzStdin(f *testing.F) {
	frames, path := "", filepath.Join(f.TempDir(), "frames")
	if out, err := os.Create(path); err == nil {
		w, err := stream.OpenStdout(f.Context(), out, stream.StdoutOptions{Format: stream.Frame})
		if err != nil {
			f.Fatal(err)
		}
		w.Send(batch("a", "b"), true)
		w.Close(f.Context())
		text, _ := os.ReadFile(path)
		frames = string(text)
	}
	for _, seed := range []string{
		"", "line\n", `{"body":"x"}` + "\n", frames, frames[:len(frames)-3], `{"body":"x"}` + "\n" + frames,
		"Obj\x01\x04\x16avro.schema\x02{", strings.Repeat("\x89FLUME\r\n", 2),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		path := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(path, input, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r := stream.OpenStdin(file, "k1", stream.Bounds{MaxBytes: 1 << 20})
		defer r.Close()
		for {
			d, err := r.Next(t.Context())
			if err != nil {
				break
			}
			n := 0
			for range d.Batch.All() {
				n++
			}
			if n != d.Batch.Len() || len(d.Batch.Encoded()) > 1<<20 {
				t.Errorf("a batch of %d events says %d, %d bytes", n, d.Batch.Len(), len(d.Batch.Encoded()))
			}
			d.Commit()
			d.Recycle()
		}
	})
}

func BenchmarkPipe(b *testing.B) {
	in, out, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	r := stream.OpenStdin(in, "k1", stream.Bounds{})
	defer in.Close()
	defer r.Close()
	w, err := stream.OpenStdout(b.Context(), out, stream.StdoutOptions{Format: stream.Auto, Ack: stream.AckRequire})
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			d, err := r.Next(context.Background())
			if err != nil {
				return
			}
			d.Commit()
			d.Recycle()
		}
	}()
	const events = 1000
	all := make([]*event.Batch, 32)
	receipts := make([]*stream.Receipt, len(all))
	for i := range all {
		all[i] = new(event.Batch)
		for range events {
			all[i].Append(event.Event{Body: make([]byte, 200)})
		}
	}
	b.SetBytes(events * 200)
	for i := 0; b.Loop(); i++ {
		slot := i % len(all)
		if receipts[slot] != nil {
			receipts[slot].Wait()
		}
		receipts[slot] = w.Send(all[slot], true)
	}
	b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
	w.Close(context.Background())
}
