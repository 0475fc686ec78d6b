package exec

import (
	"bytes"
	"context"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/text/encoding"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
)

// depth is how many batches may be under way. Each is lost when the process is
// killed, as is what the pipe holds.
const depth = 4

// batchBytes bounds a batch of long lines.
const batchBytes = 4 << 20

// intake makes events of a command's output and commits them.
type intake struct {
	opt     *Options
	ahead   *source.Ahead
	encoder *encoding.Encoder // nil if lines are bodies as they are
	batch   *event.Batch
	part    []byte    // the beginning of a line
	cr      bool      // the output so far ends with \r
	sent    time.Time // the batch before
	cuts    int       // events that are not the end of their line
}

func newIntake(opt *Options, put source.Put) *intake {
	in := &intake{opt: opt, ahead: source.NewAhead(put, depth), sent: time.Now()}
	in.batch = in.ahead.Next()
	if wide(opt.Charset) {
		in.encoder = encoding.ReplaceUnsupported(opt.Charset.Encoding().NewEncoder())
	}
	return in
}

// wide reports whether a charset's line ends are not the bytes of ASCII.
func wide(charset option.Charset) bool {
	ends, err := charset.Encoding().NewEncoder().String("\r\n")
	return err != nil || ends != "\r\n"
}

// run commits the lines of output until that is closed, or a commit fails.
func (in *intake) run(ctx context.Context, output <-chan []byte) error {
	warned := false
	var due <-chan time.Time
	for {
		select {
		case data, ok := <-output:
			if !ok {
				if len(in.part) > 0 {
					in.line(in.part)
				}
				in.send()
				return in.ahead.Finish()
			}
			in.take(data)
		case <-due:
			in.send()
		case <-in.ahead.Failed():
			return in.ahead.Finish()
		}
		due = nil
		if in.batch.Len() > 0 {
			left := in.opt.BatchTimeout.Duration() - time.Since(in.sent)
			if left <= 0 {
				in.send()
				continue
			}
			due = time.After(left)
		}
		if in.cuts > 0 && !warned {
			warned = true
			zerolog.Ctx(ctx).Warn().Msgf("a line is longer than max-line-length, %v: such lines become several events", in.opt.MaxLineLength)
		}
	}
}

// take takes the lines of data into batches.
func (in *intake) take(data []byte) {
	for len(data) > 0 {
		line, rest, lf := bytes.Cut(data, []byte("\n"))
		cr := in.cr
		for {
			before, after, found := bytes.Cut(line, []byte("\r"))
			if !found {
				break
			}
			in.end(before)
			line, cr = after, true
		}
		in.cr = false
		switch {
		case !lf:
			in.part = append(in.part, line...)
			in.part = append(in.part[:0], in.cut(in.part)...)
			in.cr = cr && len(line) == 0
		case cr && len(line) == 0: // \r\n
		default:
			in.end(line)
		}
		data = rest
	}
}

// end takes a line that ends with last, and begins with what came before.
func (in *intake) end(last []byte) {
	if len(in.part) == 0 {
		in.line(last)
		return
	}
	in.part = append(in.part, last...)
	in.line(in.part)
	in.part = in.part[:0]
}

func (in *intake) line(line []byte) { in.append(in.cut(line)) }

// cut takes as much of line into the batch as is too much for one event, and
// returns the rest.
func (in *intake) cut(line []byte) []byte {
	most := int(in.opt.MaxLineLength)
	for len(line) > most {
		in.append(line[:most])
		in.cuts++
		line = line[most:]
	}
	return line
}

// append takes one event into the batch.
//
// Flume: puts U+FFFD in place of bytes that are not valid in charset; here they
// stay as they are, unless they had to be decoded to find the ends of lines.
func (in *intake) append(body []byte) {
	if in.encoder != nil {
		if encoded, err := in.encoder.Bytes(body); err == nil {
			body = encoded
		}
	}
	in.batch.Append(event.Event{Body: body})
	if in.batch.Len() >= int(in.opt.BatchSize) || in.batch.Size() >= batchBytes {
		in.send()
	}
}

// send puts the batch on its way.
func (in *intake) send() {
	if in.batch.Len() > 0 {
		in.batch = in.ahead.Send(in.batch, nil)
	}
	in.sent = time.Now()
}
