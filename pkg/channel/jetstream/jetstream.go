// Package jetstream is the jetstream channel: it holds events in a stream of a
// NATS server or cluster, so that those who put and those who take may be on
// different hosts, and a stream with replicas survives the loss of a server.
//
//	fsrc netcat :44444 | fchan put nats://h1:4222,nats://h2:4222       here
//	fchan take nats://h1:4222,nats://h2:4222 | fsink file_roll /data   there
//
// One stream is one channel: it is made if it is not there, as a work queue
// that refuses what it has no room for. All processes that name it share it. A
// stream that others made is used as it is, unless it may lose events: one that
// discards old messages or lets them expire is refused. Of a stream that keeps
// its messages (limits retention) nothing is removed when it is taken, and it
// is its owner who must see to it that there is room.
//
// # Puts
//
// An event is committed when JetStream has acknowledged it: with a quorum of
// replicas, if there are any. When a server goes away or there is no quorum, the
// channel goes on by itself once that has passed; a put waits for keep-alive
// and is then refused, unless its sender waits for as long as it takes. So it
// is when the stream is full. What is tried again after an answer that never
// came is recognised by JetStream within the stream's duplicate window, two
// minutes in a stream that is made here.
//
// A message holds the events of one or several transactions, in Flumekit's
// binary form, and how many they are in the header Flumekit-Events. It is at
// most as large as the servers' max_payload, and one event must fit in it.
// Messages that other NATS clients publish to the subject are one event each:
// the payload is its body, the message's headers its headers.
//
// # Takes
//
// All takers share a durable consumer. Taken messages are theirs for as long as
// their process lives and is connected; a process that ends gives them back at
// once, one that is killed after ack-wait. A take is committed when JetStream
// has confirmed it.
//
// The takers of one process are given the events in the order in which they
// were put, first of all what was returned, and after a kill what the killed
// process held. Where several processes take, each gets its share in that
// order, and what one of them gave back may come later. After a connection has
// been away for longer than ack-wait some events may be delivered twice.
//
// # The edge
//
//	fsrc syslogtcp :5140 | fchan jetstream --edge /var/spool/edge nats-leaf://hub:7422
//
// With edge, the channel is a store in that directory, which forwards what is
// put to the stream at the hub whenever that can be reached, and holds it
// while it cannot. What was put is committed when it is on the disk here. Takes
// are made at the hub; the edge delivers nothing to anyone else.
//
// With nats-leaf: URLs, those of the hub's leafnode port, the process is a leaf
// node of the hub: one outgoing connection, with the rights that the hub gives
// its leaf nodes. JetStream's API does not reach through it unless the hub has a
// domain and js-domain names it; without, the stream must be there already
// (whoever takes from it makes it), it is not checked, and max-payload has to be
// what the hub takes. With nats: URLs it is a client of the hub like any other.
//
// An event is forwarded once, unless the connection was away for longer than
// the stream's duplicate window in just the moment when an acknowledgement was
// to come, or the machine itself went down. The process can be ended at any time,
// also with the hub away: what is not forwarded is when it runs again.
package jetstream

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed jetstream.go
var source string

// Spec is this channel's line in the catalogue.
var Spec = channel.Spec{
	Name:    "jetstream",
	Summary: "Hold events in a stream of a NATS server or cluster.",
	Manual:  component.Manual(source),
	Target:  &component.Target{Placeholder: "URLS", Properties: Properties},
	New:     func() channel.Options { return new(Options) },
}

// Options are the properties of a jetstream channel. They have the names that
// the nats command and NATS's own configuration have for them.
type Options struct {
	Servers []string `name:"servers" required:"" placeholder:"URLS" help:"URLs of the servers, with commas between: nats://h1:4222,tls://h2:4222."`
	Stream  string   `name:"stream" default:"flumekit" placeholder:"NAME" help:"Stream that is the channel."`
	Subject string   `name:"subject" help:"Subject to publish to; without it, the stream's name."`

	Creds        string        `name:"creds" placeholder:"FILE" help:"Credentials file: a user's JWT and key."`
	NKey         string        `name:"nkey" placeholder:"FILE" help:"File with the seed of an nkey."`
	User         string        `name:"user" placeholder:"NAME" help:"User name."`
	Password     option.Secret `name:"password" help:"The user's password."`
	PasswordFile string        `name:"password-file" placeholder:"FILE" help:"File that holds the password alone."`
	Token        option.Secret `name:"token" help:"Token, where the servers ask for one instead of a user."`
	TLSCA        string        `name:"tlsca" placeholder:"FILE" help:"Certificates of authorities to trust (PEM); without it, those that the system trusts."`
	TLSCert      string        `name:"tlscert" placeholder:"FILE" help:"Certificate to show the servers (PEM)."`
	TLSKey       string        `name:"tlskey" placeholder:"FILE" help:"Its private key (PEM)."`
	TLSName      string        `name:"tlsname" placeholder:"NAME" help:"Name that the servers' certificates are for, if it is not the one in their URLs."`
	TLSFirst     option.Bool   `name:"tlsfirst" default:"false" help:"Begin with the TLS handshake, for servers with handshake_first."`
	Domain       string        `name:"js-domain" placeholder:"NAME" help:"JetStream domain that the stream is in."`
	APIPrefix    string        `name:"js-api-prefix" placeholder:"SUBJECT" help:"Prefix of JetStream's API, where an account imports it under another."`

	Replicas  option.Int     `name:"replicas" default:"0" help:"Copies of the stream: 1, 3 or 5. A stream that has fewer is refused. 0 is 1 for a new stream, and what it has for another."`
	Storage   string         `name:"storage" placeholder:"KIND" help:"What the stream is kept in, file or memory. A stream that is kept otherwise is refused. Without it, a new stream is kept in files."`
	MaxBytes  option.Bytes   `name:"max-bytes" default:"1GiB" help:"Most bytes that a new stream holds; -1 is no bound."`
	MaxMsgs   option.Int64   `name:"max-msgs" default:"-1" help:"Most messages that a new stream holds, of as many events as are put at once; -1 is no bound."`
	Duplicate option.Seconds `name:"dupe-window" default:"120" help:"How long a new stream remembers messages, so as not to keep one twice."`

	Consumer string         `name:"consumer" default:"flumekit" placeholder:"NAME" help:"Durable consumer that all takers share."`
	AckWait  option.Seconds `name:"ack-wait" default:"30" help:"How long what a killed process had taken is kept from others."`

	TransactionCapacity option.Int     `name:"transactionCapacity" default:"10000" help:"Most events in one transaction."`
	KeepAlive           option.Seconds `name:"keep-alive" default:"3" help:"How long a put waits for room, or for a stream that is away."`
	ConnectWait         option.Seconds `name:"connect-wait" default:"10" help:"How long to try to find a server and the stream at the start; 0 tries for ever."`

	Edge       string       `name:"edge" placeholder:"DIR" help:"Keep events in this directory, and forward them to the stream as a leaf node of the servers."`
	Capacity   option.Int   `name:"capacity" default:"1000000" help:"Most events held at the edge."`
	MaxPayload option.Bytes `name:"max-payload" default:"1MiB" help:"The hub's max_payload: most bytes of a message that the edge sends."`
}

// Properties returns the properties that a channel's address on a command line
// sets: URLs with commas between, and after the last of them, if need be, a
// slash and the stream's name.
func Properties(word string) (map[string]string, error) {
	scheme, _, ok := strings.Cut(word, "://")
	if !ok {
		scheme = "nats"
		word = "nats://" + word
	}
	set := map[string]string{"servers": word}
	slash := strings.LastIndexByte(word, '/')
	if last := strings.LastIndex(word, "://"); slash > last+2 && !strings.HasPrefix(scheme, "ws") {
		set["servers"] = word[:slash]
		if stream := word[slash+1:]; stream != "" {
			set["stream"] = stream
		}
	}
	return set, nil
}

// IsAddress reports whether word is the address of a jetstream channel, and not
// a directory or another channel's address.
func IsAddress(word string) bool {
	scheme, _, ok := strings.Cut(word, "://")
	return ok && schemes[scheme]
}

// schemes are those of a NATS server's URL.
var schemes = map[string]bool{"nats": true, "tls": true, "ws": true, "wss": true, "nats-leaf": true}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	for _, u := range o.Servers {
		if err := checkURL(u, o.Edge != ""); err != nil {
			return err
		}
	}
	for _, n := range []struct{ property, name string }{{"stream", o.Stream}, {"consumer", o.Consumer}} {
		if n.name == "" || strings.ContainsAny(n.name, ".*> \t\r\n/\\") {
			return fault.Hint(fmt.Errorf("%s is %q", n.property, n.name), `the name must have no blanks and none of . * > / \`)
		}
	}
	if strings.ContainsAny(o.Subject, "*> \t\r\n") {
		return fault.Hint(fmt.Errorf("subject is %q", o.Subject), "name one subject; wildcards belong into the stream's configuration")
	}
	switch {
	case o.Replicas < 0 || o.Replicas > 5:
		return fault.Hint(fmt.Errorf("replicas is %d", o.Replicas), "write 1, 3 or 5")
	case o.Storage != "" && o.Storage != "file" && o.Storage != "memory":
		return fault.Hint(fmt.Errorf("storage is %q", o.Storage), "write file or memory")
	case o.TransactionCapacity < 1:
		return fault.Hint(fmt.Errorf("transactionCapacity is %d", o.TransactionCapacity), "it must be 1 or more; the default is 10000")
	case o.AckWait.Duration() < time.Second:
		return fault.Hint(fmt.Errorf("ack-wait is %v", o.AckWait), "it must be 1s or more; the default is 30s")
	case o.Domain != "" && o.APIPrefix != "":
		return fault.Hint(errors.New("js-domain and js-api-prefix are both set"), "leave one of them out: a domain is a prefix")
	case o.Edge != "" && o.Capacity < o.TransactionCapacity:
		return fault.Hint(fmt.Errorf("transactionCapacity is %d, but capacity is %d", o.TransactionCapacity, o.Capacity),
			"raise capacity, or lower transactionCapacity")
	case o.Edge != "" && o.MaxPayload < 4<<10:
		return fault.Hint(fmt.Errorf("max-payload is %v", o.MaxPayload), "it must be 4KiB or more; a NATS server's own default is 1MiB")
	}
	return errors.Join(o.validateLeaf(), o.validateIdentity())
}

// MaxEvents implements channel.Options.
func (o *Options) MaxEvents() int { return int(o.TransactionCapacity) }

// Kind implements channel.Options.
func (o *Options) Kind() string { return "jetstream" }

// Forgets implements channel.Options.
func (o *Options) Forgets() bool { return false }

// Policy implements channel.Options.
func (o *Options) Policy() string {
	if o.Edge != "" {
		return "fsync before each commit, then forwarded to the stream " + o.Stream
	}
	return "acknowledged by the stream " + o.Stream + " before each commit"
}

// Open implements channel.Options. It returns once a server has been reached
// and the stream is there; an edge, once its own store is open.
func (o *Options) Open(ctx context.Context, open channel.OpenStore) (channel.Channel, error) {
	if o.Edge != "" {
		return o.openEdge(ctx, open)
	}
	return o.openRemote(ctx)
}

func (o *Options) subject() string {
	if o.Subject != "" {
		return o.Subject
	}
	return o.Stream
}
