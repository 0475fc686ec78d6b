package rpc

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/event"
)

const fuzzMost = 1 << 20

func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x01b"))
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x01\x00\x10\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, joined, err := readFrame(bufio.NewReader(bytes.NewReader(data)), nil, fuzzMost)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v; want ErrMalformed or an end", err)
			}
			return
		}
		if len(joined) > len(data) {
			t.Errorf("got %d bytes of %d", len(joined), len(data))
		}
	})
}

// FuzzRequest has a server answer any request on a connection that is greeted
// or not. What it takes must be the same when it is encoded and read again.
func FuzzRequest(f *testing.F) {
	one := event.Event{Headers: event.NewHeaders("k", "v"), Body: []byte("hello")}
	var batch event.Batch
	batch.Append(one)
	batch.Append(event.Event{})
	f.Add(appendEvent(appendString([]byte{0}, appendName), one), true)
	f.Add(appendEvents(appendString([]byte{0}, appendBatchName), &batch), true)
	f.Add(appendEvent(appendString(append(appendHandshake(nil, ourHash, protocol, flumeHash), 0), appendName), one), false)
	f.Fuzz(func(t *testing.T, data []byte, greeted bool) {
		server := &Server{Append: func(b *event.Batch) error {
			var again event.Batch
			d := &decoder{rest: appendEvents(nil, b)}
			new(eventReader).array(d, &again)
			if d.err != nil || !bytes.Equal(again.Encoded(), b.Encoded()) {
				t.Errorf("encoded and read again it differs: %v", d.err)
			}
			if b.Size() > len(data) {
				t.Errorf("%d bytes of events from a request of %d", b.Size(), len(data))
			}
			return nil
		}}
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := &client{server: server, conn: near, log: zerolog.Nop(), greeted: greeted}
		c.answer(&decoder{rest: data})
	})
}

// FuzzAnswer has a client read any answer.
func FuzzAnswer(f *testing.F) {
	f.Add(append(appendMatch(nil, matchBoth, 1000), 0, 0, 0))
	f.Add(appendMatch(nil, matchNone, 0))
	f.Add([]byte{0, 1, 0, 2, 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &decoder{rest: data}
		if a := d.answer(); d.err == nil {
			checkProtocol(a.text)
			d.status()
		}
		(&decoder{rest: data}).status()
	})
}

// TestMemoryFollowsTheBytes holds that lengths alone cost nothing.
func TestMemoryFollowsTheBytes(t *testing.T) {
	allocated := func(do func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	for name, do := range map[string]func() error{
		"a frame's length": func() error {
			_, _, err := readFrame(bufio.NewReader(bytes.NewReader([]byte("\x00\x00\x00\x01\x00\x00\x00\x01\x3f\xff\xff\xff1234"))), nil, 1<<30)
			return err
		},
		"an array's length": func() error {
			d := &decoder{rest: []byte("\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x00")}
			new(eventReader).array(d, new(event.Batch))
			return d.err
		},
		"a map's and a string's": func() error {
			d := &decoder{rest: []byte("\x02\xfe\xff\xff\xff\x0f\xfe\xff\xff\xff\x0fab")}
			new(eventReader).array(d, new(event.Batch))
			return d.err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if got := allocated(func() { err = do() }); err == nil || got > 4<<20 {
				t.Errorf("allocated %d bytes, %v; want an error and 4 MiB at most", got, err)
			}
		})
	}
}

func TestHeadersOfOneKey(t *testing.T) {
	for _, n := range []int{1, few, few + 1, 3 * few} {
		var r eventReader
		for range 2 { // the second time with what the first left behind
			var want []string
			enc := []byte{}
			for i := range n {
				want = append(want, string(rune('a'+i)), "last")
			}
			for _, value := range []string{"first", "last"} {
				for i := range n {
					enc = append(enc, 2) // a block each
					enc = appendString(appendString(enc, string(rune('a'+i))), value)
				}
			}
			d := &decoder{rest: append(enc, 0, 0)}
			var b event.Batch
			r.one(d, &b)
			var got []string
			for e := range b.All() {
				for k, v := range e.Headers.All() {
					got = append(got, k, v)
				}
			}
			if d.err != nil || !slices.Equal(got, want) {
				t.Errorf("%d keys twice: got %q, %v; want %q", n, got, d.err, want)
			}
		}
	}
}
