package kafka

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// producerOptions are the properties of Kafka's Java producer. Where no default
// stands here, that producer's own is meant.
type producerOptions struct {
	Acks                string        `name:"acks" enum:"all,-1,1,0" default:"all" group:"Producer" help:"Who must have a record before it counts as put: all in-sync replicas (all or -1), their leader alone (1), or nobody (0)."`
	Compression         string        `name:"compression.type" enum:"none,gzip,snappy,lz4,zstd" default:"none" group:"Producer" help:"How records are compressed."`
	Linger              option.Millis `name:"linger.ms" default:"0" group:"Producer" help:"How long a put waits for others to be sent with."`
	MaxRequestSize      option.Bytes  `name:"max.request.size" default:"1MiB" group:"Producer" help:"Most bytes of a record, and of those sent together to one partition."`
	BufferMemory        option.Bytes  `name:"buffer.memory" default:"32MiB" group:"Producer" help:"Most bytes of records on their way."`
	DeliveryTimeout     option.Millis `name:"delivery.timeout.ms" default:"120000" group:"Producer" help:"How long a put waits for brokers that do not answer before it is refused, unless its sender waits for as long as it takes."`
	RequestTimeout      option.Millis `name:"request.timeout.ms" default:"30000" group:"Producer" help:"How long a broker may take to answer."`
	MaxInFlight         option.Int    `name:"max.in.flight.requests.per.connection" default:"5" group:"Producer" help:"Most requests under way to one broker where idempotence is off; on, it is 5."`
	EnableIdempotence   option.Bool   `name:"enable.idempotence" default:"true" group:"Producer" help:"Keep the order and write nothing twice when a request is repeated. Has no effect unless acks is all."`
	Retries             option.Int    `name:"retries" default:"2147483647" group:"Producer" notice:"records are sent again until delivery.timeout.ms is over"`
	BatchSize           option.Bytes  `name:"batch.size" default:"16384" group:"Producer" notice:"what waits is sent together, up to max.request.size"`
	MaxBlock            option.Millis `name:"max.block.ms" default:"60000" group:"Producer" notice:"delivery.timeout.ms bounds the whole of a put"`
	KeySerializer       string        `name:"key.serializer" group:"Producer" notice:"keys are text, as Flume's are"`
	ValueSerializer     string        `name:"value.serializer" group:"Producer" notice:"values are bytes, as Flume's are"`
	PartitionerClass    string        `name:"partitioner.class" group:"Producer" notice:"Java classes cannot be loaded; records are spread as Kafka's default partitioner does"`
	InterceptorClasses  string        `name:"interceptor.classes" group:"Producer" notice:"Java classes cannot be loaded"`
	TransactionalID     string        `name:"transactional.id" group:"Producer" notice:"records are not sent in Kafka's transactions, by Flume's channel neither"`
	TransactionTimeout  option.Millis `name:"transaction.timeout.ms" default:"60000" group:"Producer" notice:"records are not sent in Kafka's transactions, by Flume's channel neither"`
	MetadataMaxIdle     option.Millis `name:"metadata.max.idle.ms" default:"300000" group:"Producer" notice:"there is one topic, and it is in use"`
	BootstrapOverridden string        `name:"bootstrap.servers" group:"Producer" notice:"kafka.bootstrap.servers has its place"`

	Connection connectionOptions `embed:""`
}

func (p *producerOptions) validate(prefix string) error {
	switch {
	case p.MaxRequestSize < 1024 || p.MaxRequestSize > 1<<30:
		return fault.Hint(fmt.Errorf("%smax.request.size is %v", prefix, p.MaxRequestSize), "it must be from 1KiB to 1GiB; the default is 1MiB")
	case p.BufferMemory < p.MaxRequestSize:
		return fault.Hint(fmt.Errorf("%sbuffer.memory is %v, but max.request.size is %v", prefix, p.BufferMemory, p.MaxRequestSize),
			"raise buffer.memory, or lower max.request.size")
	case p.DeliveryTimeout <= 0:
		return fault.Hint(fmt.Errorf("%sdelivery.timeout.ms is %v", prefix, p.DeliveryTimeout), "it must be more than 0; the default is 120000")
	case p.RequestTimeout <= 0:
		return fault.Hint(fmt.Errorf("%srequest.timeout.ms is %v", prefix, p.RequestTimeout), "it must be more than 0; the default is 30000")
	case p.Linger < 0 || p.Linger.Duration() > time.Minute:
		return fault.Hint(fmt.Errorf("%slinger.ms is %v", prefix, p.Linger), "it must be from 0 to 60000")
	case p.MaxInFlight < 1:
		return fault.Hint(fmt.Errorf("%smax.in.flight.requests.per.connection is %d", prefix, p.MaxInFlight), "it must be 1 or more; the default is 5")
	}
	return nil
}

// idempotent says whether a repeated request changes nothing.
//
// Flume: its client writes twice and out of order when a request is repeated,
// unless told otherwise.
func (p *producerOptions) idempotent() bool {
	return bool(p.EnableIdempotence) && (p.Acks == "all" || p.Acks == "-1")
}

// compressions are the codecs of compression.type.
var compressions = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

// client returns the options of the client that puts.
func (p *producerOptions) client() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ProducerBatchCompression(compressions[p.Compression]),
		kgo.ProducerLinger(p.Linger.Duration()),
		kgo.ProducerBatchMaxBytes(int32(p.MaxRequestSize)),
		kgo.BrokerMaxWriteBytes(int32(max(100<<20, p.MaxRequestSize+1<<20))),
		kgo.MaxBufferedBytes(int(p.BufferMemory)),
		kgo.MaxBufferedRecords(1 << 20),
		kgo.ProduceRequestTimeout(p.RequestTimeout.Duration()),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		// A put that is to end after delivery.timeout.ms, or with its
		// sender, must not hang on an answer that may never come.
		kgo.AllowIdempotentProduceCancellation(),
	}
	switch p.Acks {
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()))
	}
	if !p.idempotent() {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(int(p.MaxInFlight)))
	}
	return opts
}

// consumerOptions are the properties of Kafka's Java consumer.
type consumerOptions struct {
	GroupID             string        `name:"group.id" aliases:"groupId" default:"flume" group:"Consumer" help:"Consumer group: its members share the events, each has every event."`
	AutoOffsetReset     string        `name:"auto.offset.reset" placeholder:"WHERE" group:"Consumer" help:"Where a group without offsets begins: earliest, latest, or none, which is an error. The default is earliest."`
	Assignment          []string      `name:"partition.assignment.strategy" default:"range" group:"Consumer" help:"How members share the partitions: range, roundrobin, sticky, cooperative-sticky, or their Java classes. All members of a group must have one in common; Flume's is range."`
	SessionTimeout      option.Millis `name:"session.timeout.ms" default:"10000" group:"Consumer" help:"How soon a member that was killed loses its partitions to the others."`
	HeartbeatInterval   option.Millis `name:"heartbeat.interval.ms" default:"3000" group:"Consumer" help:"How often a member says that it is there."`
	MaxPollInterval     option.Millis `name:"max.poll.interval.ms" default:"300000" group:"Consumer" help:"How long a member may take to give up its partitions when another joins. One that takes events slowly stays a member."`
	GroupInstanceID     string        `name:"group.instance.id" placeholder:"ID" group:"Consumer" help:"Identity of this member over restarts."`
	ClientRack          string        `name:"client.rack" placeholder:"RACK" group:"Consumer" help:"Where this member is, to read from brokers nearby."`
	IsolationLevel      string        `name:"isolation.level" enum:"read_uncommitted,read_committed" default:"read_uncommitted" group:"Consumer" help:"Whether records of Kafka's transactions are taken before those are committed."`
	FetchMinBytes       option.Bytes  `name:"fetch.min.bytes" default:"1" group:"Consumer" help:"Least bytes that a broker gathers before it answers."`
	FetchMaxBytes       option.Bytes  `name:"fetch.max.bytes" default:"50MiB" group:"Consumer" help:"Most bytes of one answer."`
	FetchPartitionBytes option.Bytes  `name:"max.partition.fetch.bytes" default:"1MiB" group:"Consumer" help:"Most bytes of one partition in an answer; a larger record comes whole."`
	FetchMaxWait        option.Millis `name:"fetch.max.wait.ms" default:"500" group:"Consumer" help:"How long a broker gathers."`
	RequestTimeout      option.Millis `name:"request.timeout.ms" default:"30000" group:"Consumer" help:"How long a broker may take to answer."`
	AllowAutoCreate     option.Bool   `name:"allow.auto.create.topics" default:"true" group:"Consumer" help:"Have the brokers make the topic if it does not exist and they are set to."`
	EnableAutoCommit    option.Bool   `name:"enable.auto.commit" default:"false" group:"Consumer" notice:"offsets are committed with the takes"`
	AutoCommitInterval  option.Millis `name:"auto.commit.interval.ms" default:"5000" group:"Consumer" notice:"offsets are committed with the takes"`
	MaxPollRecords      option.Int    `name:"max.poll.records" default:"500" group:"Consumer" notice:"a take has what there is, up to 10000 events"`
	CheckCRCs           option.Bool   `name:"check.crcs" default:"true" group:"Consumer" notice:"checksums are always checked"`
	DefaultAPITimeout   option.Millis `name:"default.api.timeout.ms" default:"60000" group:"Consumer" notice:"takes wait for brokers for as long as it takes"`
	ExcludeInternal     option.Bool   `name:"exclude.internal.topics" default:"true" group:"Consumer" notice:"the topic is named"`
	KeyDeserializer     string        `name:"key.deserializer" group:"Consumer" notice:"keys are text, as Flume's are"`
	ValueDeserializer   string        `name:"value.deserializer" group:"Consumer" notice:"values are bytes, as Flume's are"`
	InterceptorClasses  string        `name:"interceptor.classes" group:"Consumer" notice:"Java classes cannot be loaded"`
	BootstrapOverridden string        `name:"bootstrap.servers" group:"Consumer" notice:"kafka.bootstrap.servers has its place"`

	Connection connectionOptions `embed:""`
}

func (c *consumerOptions) validate(prefix string) error {
	var errs []error
	switch strings.ToLower(c.AutoOffsetReset) {
	case "", "earliest", "latest", "none":
	default:
		errs = append(errs, fault.Hint(fmt.Errorf("%sauto.offset.reset: %q is not one of earliest, latest, none", prefix, c.AutoOffsetReset), "write earliest"))
	}
	if c.GroupID == "" {
		errs = append(errs, fault.Hint(fmt.Errorf("%sgroup.id is empty", prefix), "leave it out for flume"))
	}
	if c.HeartbeatInterval <= 0 || c.SessionTimeout <= c.HeartbeatInterval {
		errs = append(errs, fault.Hint(fmt.Errorf("%ssession.timeout.ms is %v and heartbeat.interval.ms %v", prefix, c.SessionTimeout, c.HeartbeatInterval),
			"the first must be longer than the second; the defaults are 10000 and 3000"))
	}
	if c.MaxPollInterval < c.SessionTimeout {
		errs = append(errs, fault.Hint(fmt.Errorf("%smax.poll.interval.ms is %v and session.timeout.ms %v", prefix, c.MaxPollInterval, c.SessionTimeout),
			"the first must not be shorter than the second; the defaults are 300000 and 10000"))
	}
	if c.RequestTimeout <= 0 {
		errs = append(errs, fault.Hint(fmt.Errorf("%srequest.timeout.ms is %v", prefix, c.RequestTimeout), "it must be more than 0; the default is 30000"))
	}
	for name, size := range map[string]option.Bytes{
		"fetch.max.bytes": c.FetchMaxBytes, "max.partition.fetch.bytes": c.FetchPartitionBytes, "fetch.min.bytes": c.FetchMinBytes,
	} {
		if size < 0 || size > 1<<30 {
			errs = append(errs, fault.Hint(fmt.Errorf("%s%s is %v", prefix, name, size), "it must be from 0 to 1GiB"))
		}
	}
	if _, err := c.balancers(); err != nil {
		errs = append(errs, fmt.Errorf("%spartition.assignment.strategy: %w", prefix, err))
	}
	return errors.Join(errs...)
}

// balancers returns the ways of sharing partitions that the group may choose
// from.
func (c *consumerOptions) balancers() (all []kgo.GroupBalancer, err error) {
	names := []string{"range", "roundrobin", "sticky", "cooperative-sticky"}
	for _, name := range c.Assignment {
		short := strings.TrimPrefix(strings.ToLower(name), "org.apache.kafka.clients.consumer.")
		switch strings.TrimSuffix(short, "assignor") {
		case "range":
			all = append(all, kgo.RangeBalancer())
		case "roundrobin":
			all = append(all, kgo.RoundRobinBalancer())
		case "sticky":
			all = append(all, kgo.StickyBalancer())
		case "cooperative-sticky", "cooperativesticky":
			all = append(all, kgo.CooperativeStickyBalancer())
		default:
			return nil, fault.Hint(fmt.Errorf("%q is not one of %s", name, strings.Join(names, ", ")), "write range, which Flume has")
		}
	}
	if len(all) == 0 {
		return nil, fault.Hint(errors.New("names none"), "write range, which Flume has")
	}
	return all, nil
}

// isolations are the levels of isolation.level.
var isolations = map[string]kgo.IsolationLevel{
	"read_uncommitted": kgo.ReadUncommitted(),
	"read_committed":   kgo.ReadCommitted(),
}

// client returns the options of the client that takes, which begins at reset
// where there are no offsets.
func (c *consumerOptions) client(topic, reset string) ([]kgo.Opt, error) {
	balancers, err := c.balancers()
	if err != nil {
		return nil, err
	}
	begin := kgo.NewOffset().AtStart()
	again := begin
	switch reset {
	case "latest":
		begin = kgo.NewOffset().AtEnd()
		again = begin
	case "none":
		begin, again = kgo.NewOffset().AtCommitted(), kgo.NoResetOffset()
	}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(c.GroupID),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(begin),
		kgo.ConsumeResetOffset(again),
		kgo.Balancers(balancers...),
		kgo.SessionTimeout(c.SessionTimeout.Duration()),
		kgo.HeartbeatInterval(c.HeartbeatInterval.Duration()),
		kgo.RebalanceTimeout(c.MaxPollInterval.Duration()),
		kgo.FetchIsolationLevel(isolations[c.IsolationLevel]),
		kgo.FetchMinBytes(int32(c.FetchMinBytes)),
		kgo.FetchMaxBytes(int32(c.FetchMaxBytes)),
		kgo.FetchMaxPartitionBytes(int32(c.FetchPartitionBytes)),
		kgo.BrokerMaxReadBytes(int32(max(100<<20, 2*c.FetchMaxBytes-1))),
		kgo.FetchMaxWait(c.FetchMaxWait.Duration()),
		kgo.RequestTimeoutOverhead(c.RequestTimeout.Duration()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		// They tell where a partition ends that has other records last.
		kgo.KeepControlRecords(),
	}
	if c.GroupInstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.GroupInstanceID))
	}
	if c.ClientRack != "" {
		opts = append(opts, kgo.Rack(c.ClientRack))
	}
	return opts, nil
}
