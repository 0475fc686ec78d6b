package stream

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// magic is what each direction begins with. The first byte is in no UTF-8
// text, the line end shows a connection that was treated as text.
const magic = "\x89FLUME\r\n"

type kind byte

const (
	kindHello kind = 1 + iota
	kindBatch
	kindEnd
	kindCommitted
	kindRefused
	kindNote
	kindAgain
)

const flagWait = 1

const frameHead = 16

// maxTalk bounds the payload of frames that are not batches.
const maxTalk = 64 << 10

type frame struct {
	kind    kind
	flags   byte
	seq     uint64
	payload []byte
}

// appendFrameHead appends the head of a frame with a payload of n bytes.
func appendFrameHead(dst []byte, k kind, flags byte, seq uint64, n int) []byte {
	dst = append(dst, byte(k), flags, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	return binary.BigEndian.AppendUint64(dst, seq)
}

func appendJSONFrame(dst []byte, k kind, seq uint64, payload any) []byte {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err) // only our own plain structs come here
	}
	return append(appendFrameHead(dst, k, 0, seq, len(text)), text...)
}

// readMagic reads the eight bytes that a direction begins with.
func readMagic(r *bufio.Reader) error {
	var got [len(magic)]byte
	if _, err := io.ReadFull(r, got[:]); err != nil {
		return err
	}
	if string(got[:]) != magic {
		return protocolErrorf("it begins with %q", got[:])
	}
	return nil
}

// readFrame reads one frame. A batch's payload may have up to maxBatch bytes
// and is read into buf if that is large enough. It returns io.EOF at the end
// of the bytes between two frames and io.ErrUnexpectedEOF within one.
func readFrame(r *bufio.Reader, maxBatch int, buf []byte) (frame, error) {
	head, err := r.Peek(frameHead)
	if err != nil {
		if errors.Is(err, io.EOF) && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return frame{}, err
	}
	f := frame{kind: kind(head[0]), flags: head[1], seq: binary.BigEndian.Uint64(head[8:])}
	n := uint64(binary.BigEndian.Uint32(head[4:]))
	if f.kind < kindHello || f.kind > kindAgain || head[2]|head[3] != 0 {
		return frame{}, protocolErrorf("a frame begins with %x", head)
	}
	bound := uint64(maxTalk)
	if f.kind == kindBatch {
		bound = uint64(maxBatch)
	}
	if n > bound {
		return frame{}, protocolErrorf("a frame of kind %d with %d bytes, more than the %d agreed", f.kind, n, bound)
	}
	r.Discard(frameHead) // cannot fail: they were peeked
	if uint64(cap(buf)) >= n {
		f.payload = buf[:n]
		_, err = io.ReadFull(r, f.payload)
	} else {
		f.payload, err = readGrowing(r, int(n))
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return f, err
}

// readGrowing reads n bytes into new memory, which grows only as bytes arrive:
// a length alone must not make us allocate much.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	const step = 4 << 20
	buf := make([]byte, min(n, step))
	read := 0
	for {
		k, err := io.ReadFull(r, buf[read:])
		read += k
		if err != nil {
			return nil, err
		}
		if read == n {
			return buf, nil
		}
		more := min(n-read, max(step, read))
		buf = slices.Grow(buf, more)[:read+more]
	}
}

// readHello reads the magic and the hello that a socket's direction begins with.
func readHello(r *bufio.Reader) (Hello, error) {
	var h Hello
	if err := readMagic(r); err != nil {
		return h, err
	}
	f, err := readFrame(r, 0, nil)
	if err != nil {
		return h, err
	}
	if f.kind != kindHello {
		return h, protocolErrorf("a frame of kind %d where a hello was due", f.kind)
	}
	if err := json.Unmarshal(f.payload, &h); err != nil {
		return h, protocolErrorf("reading the hello: %v", err)
	}
	if h.Version != protocolVersion {
		return h, protocolErrorf("the other end speaks version %d, this one %d", h.Version, protocolVersion)
	}
	if h.MaxEvents < 0 || h.MaxBytes < 0 || h.WindowBatches < 0 || h.WindowBytes < 0 {
		return h, protocolErrorf("the hello has negative bounds")
	}
	h.Bounds = h.Bounds.orDefaults()
	return h, nil
}

func appendHello(dst []byte, h Hello) []byte {
	h.Version = protocolVersion
	return appendJSONFrame(append(dst, magic...), kindHello, 0, h)
}
