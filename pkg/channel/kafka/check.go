package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/fault"
)

const (
	// checkTime bounds the look at the cluster before the channel is open.
	checkTime = 10 * time.Second
	// creationTime is how long brokers may take to make the topic.
	creationTime = 2 * time.Second
	creationStep = 200 * time.Millisecond
)

// check looks at the cluster and finds what only a person can mend. Brokers that
// cannot be reached are not among it: they may come back. It returns the most
// bytes of a record.
func check(ctx context.Context, o *Options, connection []kgo.Opt) (limit, error) {
	most := limit{bytes: int32(o.Producer.MaxRequestSize), why: fmt.Sprintf("kafka.producer.max.request.size is %v", o.Producer.MaxRequestSize)}
	opts := append([]kgo.Opt{}, connection...)
	opts = append(opts, kgo.RequestRetries(len(o.Servers)), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return limit{}, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := findTopic(ctx, client, o); err != nil {
		if err = diagnose(err, o); err != nil {
			return limit{}, err
		}
		return most, nil
	}
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, o.Topic)
	if err != nil || len(configs) == 0 || configs[0].Err != nil {
		return most, nil // not everyone may ask
	}
	for _, config := range configs[0].Configs {
		if config.Key != "max.message.bytes" {
			continue
		}
		if bytes, err := strconv.ParseInt(config.MaybeValue(), 10, 32); err == nil {
			most.topic = bytes
			if o.Producer.Compression == "none" && bytes < int64(most.bytes) && bytes >= 1024 {
				most.bytes, most.why = int32(bytes), fmt.Sprintf("max.message.bytes of topic %s is %d", o.Topic, bytes)
			}
		}
	}
	if r := o.Consumer.FetchPartitionBytes; int64(r) < most.topic {
		zerolog.Ctx(ctx).Debug().Msgf("kafka.consumer.max.partition.fetch.bytes is %v; larger records come one at a time", r)
	}
	return most, nil
}

// errNoTopic says that the topic does not exist and is not made.
var errNoTopic = errors.New("the topic does not exist, and the brokers do not make it")

// findTopic asks the brokers for the topic, which makes it if they are set to.
func findTopic(ctx context.Context, client *kgo.Client, o *Options) error {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = bool(o.Consumer.AllowAutoCreate)
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(o.Topic)
	req.Topics = append(req.Topics, topic)
	ticker := time.NewTicker(creationStep)
	defer ticker.Stop()
	for began := time.Now(); ; {
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			return err
		}
		if len(resp.Topics) != 1 {
			return fmt.Errorf("the brokers tell of %d topics; they were asked for one", len(resp.Topics))
		}
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		switch {
		case err == nil:
			return nil
		case !kerr.IsRetriable(err):
			return err
		case time.Since(began) > creationTime, errors.Is(err, kerr.UnknownTopicOrPartition) && !bool(o.Consumer.AllowAutoCreate):
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				return errNoTopic
			}
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return err
		}
	}
}

// diagnose returns why the channel cannot be opened, nil where the brokers may
// yet be reached.
func diagnose(err error, o *Options) error {
	where := strings.Join(o.Servers, ",")
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		eof       *kgo.ErrFirstReadEOF
		answer    *kerr.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.Hint(fmt.Errorf("kafka.bootstrap.servers: no such host: %q", dns.Name), "check the name")
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.IllegalSaslState):
		return fault.Hint(fmt.Errorf("the broker refuses the user: %w", err), "check the user and the password in kafka.producer.sasl.jaas.config")
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fault.Hint(fmt.Errorf("the broker does not know the mechanism %s: %w", o.Producer.Connection.SASLMechanism, err), "set kafka.producer.sasl.mechanism to one that the broker has in sasl.enabled.mechanisms")
	case errors.Is(err, io.EOF) && o.Producer.Connection.sasl():
		return fault.Hint(fmt.Errorf("the broker at %s closes the connection when the user says who it is", where),
			"check kafka.producer.sasl.mechanism, and the user and the password in kafka.producer.sasl.jaas.config")
	case errors.As(err, &authority):
		return fault.Hint(fmt.Errorf("the broker's certificate is not trusted: %w", err), "set kafka.producer.ssl.truststore.location to a file with the certificate of who signed it")
	case errors.As(err, &host):
		return fault.Hint(fmt.Errorf("the broker's certificate names another host: %w", err), "name the broker as the certificate does, or set kafka.producer.ssl.disableTLSHostnameVerification to true")
	case errors.As(err, &invalid):
		return fmt.Errorf("the broker's certificate is not valid: %w", err)
	case errors.As(err, &record):
		return fault.Hint(fmt.Errorf("the broker at %s does not speak TLS there: %w", where, err), "check the port, and kafka.producer.security.protocol")
	case errors.As(err, &eof):
		return fault.Hint(fmt.Errorf("the broker at %s closes the connection at once", where), "it may want another security.protocol: set kafka.producer.security.protocol, and kafka.consumer.security.protocol, as the broker's listener has it")
	case errors.Is(err, errNoTopic):
		return fault.Hint(fmt.Errorf("topic %s: %w", o.Topic, err), "make it: kafka-topics.sh --bootstrap-server %s --create --topic %s", where, o.Topic)
	case errors.Is(err, kerr.InvalidTopicException):
		return fault.Hint(fmt.Errorf("kafka.topic: %q is not a topic's name", o.Topic), "use letters, digits, points, dashes and underscores alone")
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fault.Hint(fmt.Errorf("the broker does not let this user see topic %s: %w", o.Topic, err), "allow the user Describe, Read and Write on the topic")
	case errors.As(err, &answer) && !answer.Retriable:
		return fmt.Errorf("looking for topic %s at %s: %w", o.Topic, where, err)
	}
	return nil
}

// limit is the most bytes of a record.
type limit struct {
	bytes int32
	why   string
	topic int64 // max.message.bytes of the topic; 0: not known
}

// recordOverhead is what a record needs besides its key and its value, and a
// batch of it alone.
const recordOverhead = 128

// check returns why one of the records can never be sent, nil if all can.
func (l limit) check(records []kgo.Record) error {
	for i := range records {
		r := &records[i]
		if size := len(r.Key) + len(r.Value) + recordOverhead; size > int(l.bytes) {
			return &refusal{fmt.Sprintf("an event is %d bytes as a record, but %s", size, l.why), channel.ErrTooLarge}
		}
	}
	return nil
}

// tooLarge is what the sender of a batch is told that the broker refuses.
func (l limit) tooLarge(err error) string {
	why := "max.message.bytes of the topic is less"
	if l.topic > 0 {
		why = fmt.Sprintf("max.message.bytes of the topic was %d when the channel was opened", l.topic)
	}
	return fmt.Sprintf("the broker refuses an event as too large: %v; %s, and %s", err, why, l.why)
}
