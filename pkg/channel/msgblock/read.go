package msgblock

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Message is a message as it lies in a block.
type Message struct {
	Seq     uint64
	Time    time.Time
	Subject string
	Header  []byte // as it goes over the wire, NATS/1.0 first; nil: it has none
	Data    []byte
}

// Value returns the first value of the header name, "" if there is none. The
// case of name counts.
func (m Message) Value(name string) string {
	_, after, ok := bytes.Cut(m.Header, []byte("\r\n"+name+":"))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(after, []byte("\r\n"))
	return string(bytes.TrimSpace(value))
}

// Read returns the messages from first through last that are whole or can be
// restored and were not removed, in order, before or after a Mend. A message's
// bytes are valid until the next one is asked for. After an error it ends.
func (r *Report) Read(ctx context.Context, first, last uint64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		var buf []byte
		for _, b := range r.Blocks {
			if len(b.Messages.within(first, last)) == 0 {
				continue
			}
			err := ctx.Err()
			if err == nil {
				buf, err = r.readBlock(b.Index, buf)
			}
			if err != nil {
				yield(Message{}, fault.At(fmt.Errorf("reading a message block: %w", err), r.block(b.Index)))
				return
			}
			var came uint64
			for p := range r.checker(b.Index).walk(buf) {
				rec := p.record
				if p.lost || rec.kind == tombstone || rec.seq <= came {
					continue
				}
				came = rec.seq
				if rec.kind != message || rec.seq < first || rec.seq > last || r.removed.Contains(rec.seq) {
					continue
				}
				if !yield(Message{rec.seq, rec.time, string(rec.subject(p.raw)), rec.header(p.raw), rec.data(p.raw)}, nil) {
					return
				}
			}
		}
	}
}
