// Package kafka is the Kafka channel: it holds events in a topic of a Kafka
// cluster, where they outlive this process and this machine.
//
//	fsrc netcat :44444 | fchan kafka broker1:9092,broker2:9092/flume-channel | fsink logger
//	fchan kafka broker1:9092/flume-channel --listen unix:/run/c1.sock
//
// One record is one event, in Flume's own form, so that this channel and the
// Kafka channel of a Flume agent can share a topic and a consumer group, each
// putting what the other takes. With parseAsFlumeEvent=false a record's value is
// the event's body, and its headers are not kept. The header "key" is the
// record's key.
//
// # Puts
//
// A batch is committed when the brokers have acknowledged every record of it
// (kafka.producer.acks, all unless said otherwise). The events of one sender
// keep their order within a partition; a topic of several partitions has no
// order between them. A batch that fails half-way is sent again whole, so some
// of its events may be in the topic twice. While no broker can be reached, a put
// waits for kafka.producer.delivery.timeout.ms and is then refused, unless its
// sender waits for as long as it takes, as a shell pipeline does.
//
// A record is at most kafka.producer.max.request.size bytes, and at most what the
// topic allows (max.message.bytes): a larger event is refused with both named.
//
// # Takes
//
// All takers of one process are one member of the consumer group; it joins with
// the first and leaves some seconds after the last. A committed take is committed
// in Kafka before its taker is told so, if nothing before it in its partition is
// still in a taker's hands; else together with that. A taker that is stuck keeps
// its place in the group for as long as the process lives.
//
// When partitions go to another member, nothing more of them is handed out here,
// and what is in takers' hands has three seconds to be committed. What is
// committed later than that was delivered here and will be delivered by the
// other member as well; the log says how many events that were. Nothing is
// committed for a partition that another member has. Partitions that come back
// to this process as it left them go on where they were.
//
// A record that is no Flume event is not dropped: it is handed out with its value
// as the body and the header "flumekit.malformed", which says why. Where the
// topic has deleted events before they were taken (its retention), the log says
// how many.
//
// # Properties of Kafka's client
//
// kafka.producer.* and kafka.consumer.* are those of Kafka's Java client. They
// mean here what they mean there; the ones that tune that client's inner workings
// are accepted without effect. Key and trust stores are read as PEM, JKS and
// PKCS12. SASL has the mechanisms PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, with
// the user in sasl.jaas.config; Kerberos and OAUTHBEARER are not supported.
package kafka

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed kafka.go
var source string

// Spec is this channel's line in the catalogue.
var Spec = channel.Spec{
	Name:    "kafka",
	Class:   "org.apache.flume.channel.kafka.KafkaChannel",
	Summary: "Hold events in a Kafka topic.",
	Manual:  component.Manual(source),
	Target:  &component.Target{Placeholder: "HOST:PORT[,...][/TOPIC]", Properties: target},
	New:     func() channel.Options { return new(Options) },
}

// target takes the servers and the topic apart.
func target(word string) (map[string]string, error) {
	servers, topic, named := strings.Cut(word, "/")
	properties := map[string]string{"kafka.bootstrap.servers": servers}
	if named {
		if topic == "" {
			return nil, fault.Hint(fmt.Errorf("%q names no topic", word), "write HOST:PORT/TOPIC")
		}
		properties["kafka.topic"] = topic
	}
	return properties, nil
}

// Options are the properties of a Kafka channel.
type Options struct {
	Servers           []string    `name:"kafka.bootstrap.servers" aliases:"brokerList" required:"" placeholder:"HOST:PORT,..." help:"Brokers to ask first; they name the others."`
	Topic             string      `name:"kafka.topic" aliases:"topic" default:"flume-channel" help:"Topic that holds the events."`
	ParseAsFlumeEvent option.Bool `name:"parseAsFlumeEvent" default:"true" help:"A record's value is a whole Flume event, headers and body, in Avro's binary form; false: its body alone."`
	PartitionIDHeader string      `name:"partitionIdHeader" placeholder:"HEADER" help:"Header whose value is the number of the event's partition."`
	DefaultPartition  option.Int  `name:"defaultPartitionId" default:"-1" help:"Partition of events without that header. At -1 events with the same key share one, and those without a key are spread over all."`

	ReadSmallestOffset string        `name:"readSmallestOffset" hidden:""`
	PollTimeout        option.Millis `name:"kafka.pollTimeout" aliases:"pollTimeout" default:"500" notice:"a take waits until there is an event"`
	MigrateZookeeper   option.Bool   `name:"migrateZookeeperOffsets" default:"true" notice:"offsets are not taken over from ZooKeeper, where Kafka kept them before 0.9; a group without offsets in Kafka begins as auto.offset.reset says"`
	ZookeeperConnect   string        `name:"zookeeperConnect" notice:"offsets are not taken over from ZooKeeper, where Kafka kept them before 0.9; a group without offsets in Kafka begins as auto.offset.reset says"`

	Producer producerOptions `embed:"" prefix:"kafka.producer."`
	Consumer consumerOptions `embed:"" prefix:"kafka.consumer."`
}

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	var errs []error
	if len(o.Servers) == 0 {
		errs = append(errs, fault.Hint(errors.New("kafka.bootstrap.servers names no broker"), "write HOST:PORT"))
	}
	if o.Topic == "" {
		errs = append(errs, fault.Hint(errors.New("kafka.topic is empty"), "leave it out for flume-channel"))
	}
	if o.DefaultPartition < -1 {
		errs = append(errs, fault.Hint(fmt.Errorf("defaultPartitionId is %d", o.DefaultPartition), "partitions are numbered from 0"))
	}
	switch strings.ToLower(o.ReadSmallestOffset) {
	case "", "true", "false":
	default:
		errs = append(errs, fault.Hint(fmt.Errorf("readSmallestOffset: %q is neither true nor false", o.ReadSmallestOffset),
			"set kafka.consumer.auto.offset.reset, which replaces it, to earliest or latest"))
	}
	return errors.Join(append(errs,
		o.Producer.validate("kafka.producer."),
		o.Producer.Connection.validate("kafka.producer."),
		o.Consumer.validate("kafka.consumer."),
		o.Consumer.Connection.validate("kafka.consumer."))...)
}

// offsetReset returns where a group without offsets begins.
func (o *Options) offsetReset() string {
	switch {
	case o.Consumer.AutoOffsetReset != "":
		return strings.ToLower(o.Consumer.AutoOffsetReset)
	case strings.EqualFold(o.ReadSmallestOffset, "false"):
		return "latest"
	}
	return "earliest"
}

// mostEvents bounds the events of one put and of one take, mostBytes their
// bytes.
const (
	mostEvents = 10_000
	mostBytes  = 4 << 20
)

// MaxEvents implements channel.Options.
//
// Flume: a put of any size is taken, and held in memory until all of it is sent.
func (o *Options) MaxEvents() int { return mostEvents }

// Splits implements channel.Splitter.
func (o *Options) Splits() {}

// Kind implements channel.Options.
func (o *Options) Kind() string { return "kafka" }

// Forgets implements channel.Options.
func (o *Options) Forgets() bool { return false }

// Policy implements channel.Options.
func (o *Options) Policy() string {
	where := fmt.Sprintf("topic %s at %s", o.Topic, strings.Join(o.Servers, ","))
	switch o.Producer.Acks {
	case "0":
		return where + ", acks=0: not acknowledged, may be lost at any time"
	case "1":
		return where + ", acks=1: acknowledged by one broker, lost with it"
	}
	return where + ", acknowledged by all in-sync replicas"
}

// Open implements channel.Options.
func (o *Options) Open(ctx context.Context, _ channel.OpenStore) (channel.Channel, error) {
	c, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	return c, nil
}
