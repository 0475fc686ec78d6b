package flumelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/flumekit/flumekit/pkg/event"
)

// kind is the type of a record.
type kind int32

const (
	put kind = iota + 1
	take
	rollback
	commit
)

// record is what the replay needs of a record in a log.
type record struct {
	kind   kind
	txn    int64   // the transaction that it is of
	order  int64   // its write order
	taken  pointer // of a take: the put
	commit kind    // of a commit: what was committed, put or take
}

// headMost is how many bytes of a record of version 3 tell all but a put's event:
// the header, 24 bytes, the length of the body, and the body of the other kinds.
const headMost = 64

// decodeHead reads the head of a record of size bytes from its first bytes, at
// least headMost of them or all. For a put it returns the length of its body's
// message and where that starts. It allows only what fills size exactly, so
// that damage to a length is found out here.
func decodeHead(head []byte, size int64) (rec record, bodyAt, bodyLen int64, err error) {
	header, rest, err := delimited(head)
	if err != nil {
		return rec, 0, 0, err
	}
	err = fields(header, func(num protowire.Number, v uint64, _ []byte) {
		switch num {
		case 1:
			rec.kind = kind(int32(v))
		case 2:
			rec.txn = int64(v)
		case 3:
			rec.order = int64(v)
		}
	})
	if err != nil {
		return rec, 0, 0, err
	}
	if rec.kind < put || rec.kind > commit {
		return rec, 0, 0, fmt.Errorf("%d is no type of record", rec.kind)
	}
	length, n := protowire.ConsumeVarint(rest)
	if n < 0 {
		return rec, 0, 0, errCut
	}
	bodyAt = int64(len(head) - len(rest) + n)
	if length >= uint64(size) || bodyAt+int64(length)+1 != size {
		return rec, 0, 0, errors.New("the lengths in the record do not agree")
	}
	bodyLen = int64(length)
	if rec.kind == put {
		return rec, bodyAt, bodyLen, nil
	}
	if size > int64(len(head)) {
		return rec, 0, 0, errors.New("the record is too long for what it is")
	}
	return rec, bodyAt, bodyLen, rec.decodeBody(rest[n:])
}

// decodeBody reads the body of a take, commit or rollback, and the footer.
func (rec *record) decodeBody(b []byte) error {
	body, footer := b[:len(b)-1], b[len(b)-1]
	if footer != 0 {
		return errors.New("the record has no footer")
	}
	var first, second uint64
	err := fields(body, func(num protowire.Number, v uint64, _ []byte) {
		switch num {
		case 1:
			first = v
		case 2:
			second = v
		}
	})
	if err != nil {
		return err
	}
	switch rec.kind {
	case take:
		rec.taken = pointerTo(int32(first), int64(int32(second)))
	case commit:
		if rec.commit = kind(int32(first)); rec.commit != put && rec.commit != take {
			return fmt.Errorf("the record commits transactions of type %d", rec.commit)
		}
	}
	return nil
}

// decodePut reads the message of a put. The event's body is part of b.
func decodePut(b []byte) (event.Event, error) {
	var body, message []byte
	var sum *uint64
	err := fields(b, func(num protowire.Number, v uint64, bytes []byte) {
		switch num {
		case 1:
			message = bytes
		case 2:
			sum = &v
		}
	})
	if err != nil {
		return event.Event{}, err
	}
	var pairs []string
	var inner error
	err = fields(message, func(num protowire.Number, _ uint64, bytes []byte) {
		switch num {
		case 1:
			var key, value string
			inner = errors.Join(inner, fields(bytes, func(num protowire.Number, _ uint64, bytes []byte) {
				switch num {
				case 1:
					key = string(bytes)
				case 2:
					value = string(bytes)
				}
			}))
			pairs = append(pairs, key, value)
		case 2:
			body = bytes
		}
	})
	if err := errors.Join(err, inner); err != nil {
		return event.Event{}, err
	}
	if sum != nil && *sum != uint64(crc32.ChecksumIEEE(body)) {
		return event.Event{}, fmt.Errorf("the checksum of the event is %#08x; want %#08x", crc32.ChecksumIEEE(body), *sum)
	}
	return event.Event{Headers: event.NewHeaders(pairs...), Body: body}, nil
}

var errCut = errors.New("the record ends in the middle")

// delimited takes a message with its length before it off b.
func delimited(b []byte) (message, rest []byte, err error) {
	message, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return nil, nil, errCut
	}
	return message, b[n:], nil
}

// fields calls each with the fields of a message: numbers in v, the rest in bytes.
func fields(message []byte, each func(num protowire.Number, v uint64, bytes []byte)) error {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		n = protowire.ConsumeFieldValue(num, typ, message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		switch typ {
		case protowire.Fixed32Type:
			each(num, uint64(binary.LittleEndian.Uint32(message)), nil)
		case protowire.Fixed64Type:
			each(num, binary.LittleEndian.Uint64(message), nil)
		case protowire.VarintType:
			v, _ := protowire.ConsumeVarint(message)
			each(num, v, nil)
		case protowire.BytesType:
			b, _ := protowire.ConsumeBytes(message)
			each(num, 0, b)
		}
		message = message[n:]
	}
	return nil
}
