package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// valuesOf returns the values of a SequenceFile, a line each. The file is not
// compressed, its keys are LongWritable and its values Text.
func valuesOf(file io.Reader) io.Reader {
	lines, w := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(w, 64<<10)
		err := copyValues(out, bufio.NewReaderSize(file, 64<<10))
		w.CloseWithError(errors.Join(err, out.Flush()))
	}()
	return lines
}

const (
	sequenceHead = "SEQ\x06\x21org.apache.hadoop.io.LongWritable\x19org.apache.hadoop.io.Text" +
		"\x00\x00" + // no compression
		"\x00\x00\x00\x00" // no metadata
	syncSize = 16
)

func copyValues(to *bufio.Writer, from *bufio.Reader) error {
	head := make([]byte, len(sequenceHead)+syncSize)
	if _, err := io.ReadFull(from, head); err != nil {
		return err
	}
	sync := string(head[len(sequenceHead):])
	if string(head[:len(sequenceHead)]) != sequenceHead {
		return fmt.Errorf("the file begins with %q; want %q", head, sequenceHead)
	}
	var record []byte
	for {
		var length [4]byte
		if _, err := io.ReadFull(from, length[:]); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		n := int(int32(binary.BigEndian.Uint32(length[:])))
		marker := n == -1
		if marker {
			n = syncSize
		} else {
			n += 4 // the key's length
		}
		if n < 0 || n > 1<<20 {
			return fmt.Errorf("a record of %d bytes", n)
		}
		record = append(record[:0], make([]byte, n)...)
		if _, err := io.ReadFull(from, record); err != nil {
			return err
		}
		if marker {
			if string(record) != sync {
				return fmt.Errorf("the marker %x; want %x", record, sync)
			}
			continue
		}
		// 8 of key length, then the key, then a length of 200 in two bytes.
		value := record[min(len(record), 4+8):]
		if len(value) != 2+bodySize || value[0] != 0x8f || value[1] != bodySize {
			return fmt.Errorf("the value %.20q; want one of %d bytes", value, bodySize)
		}
		to.Write(value[2:])
		if err := to.WriteByte('\n'); err != nil {
			return err
		}
	}
}
