package embedded_test

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/event"
)

// peak returns the most memory that the process ever had, in bytes.
func peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// resetPeak makes the most memory what it is now.
func resetPeak(t *testing.T) {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skipf("skipped: %v", err)
	}
}

func TestMemoryOfALargeMessage(t *testing.T) {
	const size, room = 300 << 20, 100 << 20
	s, err := embedded.Open(t.Context(), conf(t, fastDir(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	b := new(event.Batch)
	b.Reserve(size + 64)
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i >> 12)
	}
	b.Append(event.Event{Body: body})
	body = nil
	data := b.Encoded()
	resetPeak(t)
	before := peak(t)
	seq, err := s.Append(t.Context(), data, channel.Totals{Events: 1, Bytes: size})
	if err != nil {
		t.Fatal(err)
	}
	if more := peak(t) - before; more > room {
		t.Errorf("appending %d bytes took %d bytes more; want %d at most", len(data), more, room)
	}
	resetPeak(t)
	before = peak(t)
	read, err := s.Read(t.Context(), seq, 0)
	if err != nil || len(read) != 1 {
		t.Fatalf("got %d messages, %v; want one", len(read), err)
	}
	if more := peak(t) - before; more > size+room {
		t.Errorf("reading %d bytes took %d bytes; want %d at most", len(data), more, size+room)
	}
	t.Logf("peak while reading: %d MiB more than the %d MiB held", (peak(t)-before)>>20, before>>20)
	if !bytes.Equal(read[0].Data, data) || read[0].First != 1 {
		t.Errorf("another message came back, from %d to %d", read[0].First, read[0].Seq)
	}
}

// TestOpeningDoesNotReadTheSegments counts what the process reads while it opens
// stores of one and of many segments.
func TestOpeningDoesNotReadTheSegments(t *testing.T) {
	cost := func(messages int) (segments, bytes int) {
		dir := fastDir(t)
		s := open(t, conf(t, dir))
		for n := range messages {
			add(t, s, uint64(n+1), 20_000)
		}
		closed(t, s)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		before := readBytes(t)
		s = open(t, conf(t, dir))
		bytes = readBytes(t) - before
		if s.Serving() {
			t.Error("opening started a server")
		}
		closed(t, s)
		return len(entries), bytes
	}
	_, one := cost(2)
	many, all := cost(160)
	if perSegment := (all - one) / many; many < 20 || perSegment > 1000 {
		t.Errorf("opening %d segments read %d bytes, %d a segment; opening one %d", many, all, perSegment, one)
	}
}

// readBytes is how much the process has read from files so far.
func readBytes(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	n, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
