// Package stream carries batches from one process to the next, in order, over
// a shell pipe or a Unix socket, and brings acknowledgements back.
//
// It is the one link between the commands. The writing end is a Writer: Send
// puts a batch on its way and returns a Receipt that tells when the other end
// has committed it. The reading end is a Reader: Next returns a Delivery,
// which is committed or refused.
//
// # Frames
//
// Each direction begins with eight bytes, 89 "FLUME" 0D 0A, which no text, JSON
// or Avro begins with. Frames follow: 16 bytes and a payload.
//
//	offset  0  1 byte   kind
//	        1  1 byte   flags; bit 0 of a batch: the writer waits for room
//	        2  2 bytes  zero
//	        4  4 bytes  length of the payload, big-endian
//	        8  8 bytes  sequence number, big-endian
//
//	kind  1  hello      payload: a Hello as JSON; the first frame on a socket, each way
//	      2  batch      payload: a batch in package event's binary form
//	      3  end        the writer is done; all that it sent was meant to be
//	      4  committed  every batch up to the sequence number, less those refused
//	      5  refused    this batch; payload: a Refused as JSON
//	      6  note       a part of the answer to a question; payload: JSON;
//	                    flag bit 0: the batch that it speaks of follows
//	      7  again      the first frame in a pipe whose ends have met; its sequence
//	                    number is how many of the lines before it come again
//
// Batches are numbered from 1, anew on each connection. Answers come in the
// batches' order: a batch is refused before later ones are committed. Several
// batches may be under way; the reader's Hello says how many, in batches and
// in bytes, and the writer waits at that bound.
//
// A connection whose hello has a question is answered by notes and an end, or by
// refused. Nothing is acknowledged: the one who answers waits while the other does
// not read.
//
// An end is only clean with an end frame. Without one the reader knows that
// the writer died, and says so after it has passed on what it got.
//
// # Over a shell pipe
//
// A pipe goes one way, but both its ends have the same device and inode
// number. The writer listens on a Unix socket named after them and its user;
// the reader dials that name until the first bytes come through the pipe. Each
// checks that the other belongs to the same user. Once they have met, frames
// go through the pipe and acknowledgements come back through the socket.
//
// If nobody calls within the grace, the writer writes JSON lines. A reader of ours
// calls when there is something to read, before it reads; so once somebody has
// read without a call, the reader is a foreign program, and "written" counts as
// committed from then on. Until then nothing does. If a reader of ours calls, be
// it ever so late, the writer changes to frames at a line's end, and sends as
// frames what did not count. It says how many lines that were; the reader has held
// them back, and drops them.
//
// A reader that finds neither frames nor JSON lines nor an Avro object
// container file takes each line as the body of one event.
package stream

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/flumekit/flumekit/pkg/event"
)

// Role is what the dialling end of a connection wants.
type Role string

const (
	// Put: the dialling end writes batches.
	Put Role = "put"
	// Take: the dialling end reads batches.
	Take Role = "take"
	// Pipe: the dialling end reads batches from a pipe and only answers here.
	Pipe Role = "pipe"
	// Ask: the dialling end has a question.
	Ask Role = "ask"
)

// Hello is what the two ends of a socket tell each other first.
type Hello struct {
	Version int    `json:"version"`
	Role    Role   `json:"role,omitempty"` // said by the dialling end
	Name    string `json:"name,omitempty"` // the component's, for messages
	Once    bool   `json:"once,omitempty"` // Take: end the stream when nothing is left
	// Asks is the version of questions that the listening end answers,
	// Question is what the dialling end asks.
	Asks     int             `json:"asks,omitempty"`
	Question json.RawMessage `json:"question,omitempty"`
	Bounds
}

// Bounds is what the reading end of a stream takes.
type Bounds struct {
	MaxEvents     int `json:"max_events,omitempty"`     // events in one batch; 0: no bound
	MaxBytes      int `json:"max_bytes,omitempty"`      // bytes of one batch in binary form
	WindowBatches int `json:"window_batches,omitempty"` // batches under way
	WindowBytes   int `json:"window_bytes,omitempty"`   // bytes under way; one batch may always be
}

// orDefaults fills in what is not set. A batch may be as large as batches get:
// one event can be as large as that, and memory is used only as its bytes come.
func (b Bounds) orDefaults() Bounds {
	if b.MaxBytes == 0 {
		b.MaxBytes = event.HeadSize + event.MaxSize
	}
	if b.WindowBatches == 0 {
		b.WindowBatches = 1024
	}
	if b.WindowBytes == 0 {
		b.WindowBytes = 8 << 20
	}
	return b
}

// mostForeign bounds what is read at once of text and Avro, where a line or a
// block that does not end says nothing of how long it will be.
const mostForeign = 256 << 20

// foreign returns the most bytes of a line or of an Avro block.
func (b Bounds) foreign() int { return min(b.MaxBytes, mostForeign) }

const protocolVersion = 1

// Refused is the reader's answer to a batch that it does not take. It is an
// error; its text is meant for whoever sent the events.
type Refused struct {
	Code Code   `json:"code"`
	Text string `json:"text"`
}

func (r *Refused) Error() string { return r.Text }

// Code says what kind of refusal it is, and so whether to try again.
type Code string

const (
	Full     Code = "full"     // no room just now
	TooLarge Code = "toolarge" // it will never fit
	Failed   Code = "failed"   // the channel could not store it, this time
	Away     Code = "away"     // there is no channel just now
	Closed   Code = "closed"   // the other end takes no more
	Unable   Code = "unable"   // it does not know the question, or cannot answer it
)

// Temporary reports whether the same batch may be taken later.
func (r *Refused) Temporary() bool { return r.Code != TooLarge && r.Code != Closed }

// ErrDied is what the end of a stream without an end frame is: the process at
// the other end was killed or failed.
var ErrDied = errors.New("the process at the other end died")

// ErrProtocol is wrapped by the errors for bytes that are not the protocol.
var ErrProtocol = errors.New("malformed stream")

// ErrClosed is returned by a Writer or Reader that was closed by its own side.
var ErrClosed = errors.New("stream closed")

func protocolErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
