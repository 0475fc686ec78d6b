package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/msgblock"
	"github.com/flumekit/flumekit/pkg/event"
)

// A message is kept as records of JetStream, each under a place of its own. All
// but the last carry partHeader: which part this is, from 0, and the size of
// the whole. The last carries messageHeader, which makes it a message: First,
// the number of records, and the totals, events and bytes.
const (
	partHeader    = "Flumekit-Part"
	messageHeader = "Flumekit-Message"
	// partSize is the most bytes of one record: two fit into a block of
	// nats-server's, so that it recycles its buffers.
	partSize = 4<<20 - 2*headerRoom
)

// heading is what a record's header says.
type heading struct {
	last   bool // of the message
	part   uint64
	size   uint64 // of the message: where it is not the last
	first  uint64 // of the message: where it is the last
	parts  uint64 // of the message: where it is the last
	totals channel.Totals
}

func partHeading(part, size int) nats.Header {
	return nats.Header{partHeader: {join(uint64(part), uint64(size))}}
}

func messageHeading(first uint64, parts int, t channel.Totals) nats.Header {
	return nats.Header{messageHeader: {join(first, uint64(parts), t.Events, t.Bytes)}}
}

func join(numbers ...uint64) string {
	text := make([]byte, 0, 64)
	for i, n := range numbers {
		if i > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendUint(text, n, 10)
	}
	return string(text)
}

func parseHeading(m *msgblock.Message) (h heading, err error) {
	text := m.Value(messageHeader)
	h.last = text != ""
	fields := []*uint64{&h.first, &h.parts, &h.totals.Events, &h.totals.Bytes}
	if !h.last {
		text = m.Value(partHeader)
		fields = []*uint64{&h.part, &h.size}
	}
	numbers := strings.Fields(text)
	ok := len(numbers) == len(fields)
	for i := 0; ok && i < len(fields); i++ {
		*fields[i], err = strconv.ParseUint(numbers[i], 10, 64)
		ok = err == nil
	}
	switch {
	case !ok, h.last && (h.parts == 0 || h.parts > m.Seq || h.first > m.Seq-(h.parts-1)), h.size > maxMessage, h.part >= m.Seq:
		return h, fmt.Errorf("record %d has a header that is not ours: %q", m.Seq, m.Header)
	}
	if h.last {
		h.part = h.parts - 1
	}
	return h, nil
}

// whole reports whether data is a batch's binary form, by its length and its
// checksum.
func whole(data []byte) bool {
	if len(data) < event.HeadSize {
		return false
	}
	sum := crc32.Checksum(data[:12], castagnoli)
	sum = crc32.Update(sum, castagnoli, data[event.HeadSize:])
	return binary.BigEndian.Uint32(data[8:]) == uint32(len(data)-event.HeadSize) && binary.BigEndian.Uint32(data[12:]) == sum
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
