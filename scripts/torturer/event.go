package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"

	"github.com/flumekit/flumekit/pkg/event"
)

// origin is what an event says of itself.
type origin struct {
	writer string
	life   int // of the writer
	n      int // counted from 1 in all of its lives
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (o origin) sum(body []byte) uint32 {
	sum := crc32.Checksum(fmt.Appendf(nil, "%s %d %d ", o.writer, o.life, o.n), castagnoli)
	return crc32.Update(sum, castagnoli, body)
}

// event returns the event that has this origin and body.
func (o origin) event(body []byte) event.Event {
	return event.Event{Body: body, Headers: event.NewHeaders(
		"writer", o.writer, "life", strconv.Itoa(o.life), "n", strconv.Itoa(o.n), "sum", strconv.FormatUint(uint64(o.sum(body)), 16))}
}

// ofEvent returns the origin of an event that came out as it went in.
func ofEvent(e event.Event) (origin, error) {
	get := func(key string) string {
		value, _ := e.Headers.Get(key)
		return value
	}
	if get("writer") == "" { // it came as a line, and its agent was ended before its sink had it
		return ofLine(e.Body)
	}
	return parseOrigin(get("writer"), get("life"), get("n"), get("sum"), e.Body)
}

// line returns the text that stands for an event where there are no headers.
func (o origin) line(body []byte) []byte {
	return append(fmt.Appendf(nil, "%s %d %d %x ", o.writer, o.life, o.n, o.sum(body)), body...)
}

// ofLine returns the origin of a line without its newline.
func ofLine(line []byte) (origin, error) {
	fields := bytes.SplitN(line, []byte(" "), 5)
	if len(fields) != 5 {
		return origin{}, fmt.Errorf("it is %.60q", line)
	}
	return parseOrigin(string(fields[0]), string(fields[1]), string(fields[2]), string(fields[3]), fields[4])
}

func parseOrigin(writer, life, n, sum string, body []byte) (o origin, err error) {
	o.writer = writer
	want, err := strconv.ParseUint(sum, 16, 32)
	if err == nil {
		o.life, err = strconv.Atoi(life)
	}
	if err == nil {
		o.n, err = strconv.Atoi(n)
	}
	if err == nil && o.sum(body) != uint32(want) {
		err = fmt.Errorf("its checksum is wrong")
	}
	if err != nil {
		return o, fmt.Errorf("writer %q, life %q, number %q, %d bytes: %w", writer, life, n, len(body), err)
	}
	return o, nil
}

// bodies makes bodies of varied size.
type bodies struct {
	seed uint64
	text []byte // bodies are parts of it
}

const longest = 1 << 20

// newBodies returns bodies of any bytes, or of printable ones.
func newBodies(seed uint64, printable bool) *bodies {
	source := rand.New(rand.NewPCG(seed, 1))
	b := &bodies{seed, make([]byte, 2*longest)}
	for i := range b.text {
		if b.text[i] = byte(source.Uint32()); printable {
			b.text[i] = ' ' + b.text[i]%95
		}
	}
	return b
}

// body returns the body of a writer's event n: most have some hundred bytes, some
// none, and few a megabyte.
func (b *bodies) body(writer string, n int) []byte {
	source := rand.New(rand.NewPCG(b.seed^uint64(crc32.ChecksumIEEE([]byte(writer))), uint64(n)))
	size := source.IntN(500)
	switch source.IntN(2000) {
	case 0:
		size = source.IntN(longest + 1)
	case 1, 2, 3, 4, 5, 6, 7, 8, 9:
		size = source.IntN(20_000)
	}
	if source.IntN(20) == 0 {
		size = 0
	}
	return b.text[source.IntN(longest):][:size]
}
