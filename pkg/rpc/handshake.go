package rpc

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/hamba/avro/v2"
)

// hash is the MD5 of a protocol's text, by which the two ends name it.
type hash [md5.Size]byte

// protocol is the text of ours, for those that do not know it by a hash.
const protocol = `{"protocol":"AvroSourceProtocol","namespace":"org.apache.flume.source.avro",` +
	`"types":[{"type":"enum","name":"Status","symbols":["OK","FAILED","UNKNOWN"]},` +
	`{"type":"record","name":"AvroFlumeEvent","fields":[` +
	`{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}],` +
	`"messages":{"append":{"request":[{"name":"event","type":"AvroFlumeEvent"}],"response":"Status"},` +
	`"appendBatch":{"request":[{"name":"events","type":{"type":"array","items":"AvroFlumeEvent"}}],"response":"Status"}}}`

var (
	ourHash = hash(md5.Sum([]byte(protocol)))
	// flumeHash is the hash of the same protocol as Flume 1.11 has it, with a
	// comment in its text. With a peer that knows it the handshake takes no
	// turn of its own.
	flumeHash = hash{0x86, 0xaa, 0xda, 0xe2, 0xc4, 0x54, 0x74, 0xc0, 0xfe, 0x93, 0xff, 0xd0, 0xf2, 0x35, 0x0a, 0x65}
)

// known reports whether h is a hash of our protocol.
func (h hash) known() bool { return h == flumeHash || h == ourHash }

// names reports whether h is the hash of text.
func (h hash) names(text string) bool { return h == hash(md5.Sum([]byte(text))) }

// match is a server's view of a handshake.
type match int64

const (
	matchBoth   match = iota // each knows the other's protocol
	matchClient              // the server knows the client's
	matchNone                // the server does not, and has not looked at the request
)

// boundKey names the metadata by which two ends of ours agree on larger requests:
// a client that sends it is told, under the same name and in decimal, how many
// events of one request the server commits as one. Others pass over it.
const boundKey = "flumekit.max-events"

// appendHandshake appends a client's side of the handshake. text is the
// client's protocol, if the server has to be told.
func appendHandshake(dst []byte, ours hash, text string, theirs hash) []byte {
	dst = append(dst, ours[:]...)
	if text == "" {
		dst = append(dst, 0)
	} else {
		dst = appendString(append(dst, 2), text)
	}
	dst = append(dst, theirs[:]...)
	return appendBound(dst, "")
}

// appendBound appends metadata of one entry, the bound.
func appendBound(dst []byte, value string) []byte {
	dst = append(dst, 2, 2) // there is a map, and a block of one entry
	dst = appendString(appendString(dst, boundKey), value)
	return append(dst, 0)
}

// bound reads optional metadata and returns what it has of the bound.
func (d *decoder) bound() (value string, ok bool) {
	if !d.optional() {
		return "", false
	}
	for key, v := range d.pairs() {
		if string(key) == boundKey {
			value, ok = string(v), true
		}
	}
	return value, ok
}

// handshake is a client's side as a server reads it.
type handshake struct {
	client, server hash
	text           string
	asks           bool // for the server's bound
}

func (d *decoder) handshake() (h handshake) {
	copy(h.client[:], d.take(md5.Size))
	if d.optional() {
		h.text = string(d.bytes())
	}
	copy(h.server[:], d.take(md5.Size))
	_, h.asks = d.bound()
	return h
}

// appendMatch appends a server's side, with its bound if that is not 0.
func appendMatch(dst []byte, m match, bound int) []byte {
	dst = binary.AppendVarint(dst, int64(m))
	if m == matchBoth {
		dst = append(dst, 0, 0)
	} else {
		dst = appendString(append(dst, 2), protocol)
		dst = append(append(dst, 2), ourHash[:]...)
	}
	if bound == 0 {
		return append(dst, 0)
	}
	return appendBound(dst, strconv.Itoa(bound))
}

// answer is a server's side as a client reads it.
type answer struct {
	match match
	text  string // "" if the server found no need to tell
	hash  hash
	bound int // 0 if the server is not one of ours
}

func (d *decoder) answer() (a answer) {
	a.match = match(d.long())
	if a.match < matchBoth || a.match > matchNone {
		d.fail("a handshake that came to %d", a.match)
	}
	if d.optional() {
		a.text = string(d.bytes())
	}
	if d.optional() {
		copy(a.hash[:], d.take(md5.Size))
	}
	if value, ok := d.bound(); ok {
		a.bound, _ = strconv.Atoi(value)
	}
	return a
}

// maxProtocol bounds the text of a protocol.
const maxProtocol = 64 << 10

// checkProtocol reports in what a protocol differs from ours so that its
// messages could not be read. Comments and further messages do not matter.
func checkProtocol(text string) (err error) {
	defer func() {
		// The parser is not ours, and bytes that nobody vouches for come in.
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: a protocol that cannot be read: %v", ErrMalformed, fault)
		}
	}()
	if len(text) > maxProtocol {
		return fmt.Errorf("%w: a protocol of %d bytes", ErrMalformed, len(text))
	}
	theirs, err := avro.ParseProtocol(text)
	if err != nil {
		return fmt.Errorf("%w: reading the protocol: %w", ErrMalformed, err)
	}
	ours, err := avro.ParseProtocol(protocol)
	if err != nil {
		return err
	}
	types := make(map[string]string)
	for _, t := range theirs.Types() {
		types[t.FullName()] = t.String()
	}
	for _, t := range ours.Types() {
		if types[t.FullName()] != t.String() {
			return fmt.Errorf("%w: another %s than Flume's: %q", ErrMalformed, t.FullName(), types[t.FullName()])
		}
	}
	found := false
	for _, name := range []string{appendName, appendBatchName} {
		m := theirs.Message(name)
		if m == nil {
			continue
		}
		found = true
		if m.String() != ours.Message(name).String() {
			return fmt.Errorf("%w: another message %s than Flume's: %q", ErrMalformed, name, m.String())
		}
	}
	if !found {
		return fmt.Errorf("%w: the protocol %q is not Flume's", ErrMalformed, theirs.Name())
	}
	return nil
}

// The messages.
const (
	appendName      = "append"
	appendBatchName = "appendBatch"
)
