// Package event is what flows: events, and the batches of them that one
// transaction commits or rolls back whole.
//
// An event has headers (string to string) and a body (bytes), as Flume's has.
// A Batch keeps its events in the binary form in which they travel over pipes
// and sockets and lie in a channel's store: they are encoded once, where they
// enter, and every later process reads them where they are, without copying
// and without an allocation for each.
//
// # The binary form
//
// A batch is 16 bytes and then its events. Numbers in the first 16 bytes are
// big-endian:
//
//	offset  0  1 byte   version, 1
//	        1  3 bytes  zero
//	        4  4 bytes  number of events
//	        8  4 bytes  length of the events in bytes
//	       12  4 bytes  CRC-32C (Castagnoli) of bytes 0 to 11 and the events
//	       16  events
//
// An event is its headers' length and its headers, its body's length and its
// body; a header is its key's length and key, its value's length and value.
// These lengths count bytes and are written as unsigned varints
// (encoding/binary). Keys and values are UTF-8 by convention; any bytes pass.
package event

// Event is one event: headers and a body. Either may be empty.
//
// The events of a Batch share its memory: they are valid as long as the batch
// is, and until it is reset. Clone what is to be kept longer.
type Event struct {
	Headers Headers
	Body    []byte
}

// Clone returns a copy of e that shares no memory with it.
func (e Event) Clone() Event {
	return Event{
		Headers: Headers{enc: append([]byte(nil), e.Headers.enc...)},
		Body:    append([]byte(nil), e.Body...),
	}
}
