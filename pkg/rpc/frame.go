package rpc

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// frameHead is the serial number and the number of buffers.
const frameHead = 8

// growth is how much memory a length that the other end claims may cost before
// its bytes arrive.
const growth = 1 << 20

// keptMemory is the most that a connection keeps for its next frame.
const keptMemory = 4 << 20

// readFrame reads a frame and returns its buffers joined, in memory of buf if
// that suffices. It refuses frames of more than most bytes. io.EOF is the end
// before a frame's first byte.
func readFrame(r *bufio.Reader, buf []byte, most int) (serial uint32, joined []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	serial = binary.BigEndian.Uint32(head[:4])
	count := binary.BigEndian.Uint32(head[4:])
	if count == 0 || uint64(count) > uint64(most) {
		return 0, nil, fmt.Errorf("%w: a frame of %d buffers", ErrMalformed, count)
	}
	joined = buf[:0]
	for range count {
		if _, err := io.ReadFull(r, head[:4]); err != nil {
			return 0, nil, unexpected(err)
		}
		n := binary.BigEndian.Uint32(head[:4])
		if uint64(n) > uint64(most-len(joined)) {
			return 0, nil, fmt.Errorf("%w: a frame of more than %d bytes", ErrMalformed, most)
		}
		if joined, err = readInto(r, joined, int(n)); err != nil {
			return 0, nil, unexpected(err)
		}
	}
	return serial, joined, nil
}

// readInto appends n bytes of r to buf, which grows only as they arrive.
func readInto(r io.Reader, buf []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, max(growth, len(buf)))
		begin := len(buf)
		buf = slices.Grow(buf, step)[:begin+step]
		if _, err := io.ReadFull(r, buf[begin:]); err != nil {
			return nil, err
		}
		n -= step
	}
	return buf, nil
}

// unexpected returns err, as one within a frame.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// beginFrame returns buf as the head of a frame with one buffer, whose bytes
// are to be appended.
func beginFrame(buf []byte, serial uint32) []byte {
	buf = binary.BigEndian.AppendUint32(buf[:0], serial)
	buf = binary.BigEndian.AppendUint32(buf, 1)
	return append(buf, 0, 0, 0, 0)
}

// endFrame fills in the length of the frame's buffer.
func endFrame(buf []byte) {
	binary.BigEndian.PutUint32(buf[frameHead:], uint32(len(buf)-frameHead-4))
}

// keep returns buf for the next frame, unless it is too much to keep.
func keep(buf []byte) []byte {
	if cap(buf) > keptMemory {
		return nil
	}
	return buf
}
