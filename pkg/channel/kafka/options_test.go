package kafka_test

import (
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel/kafka"
	"github.com/flumekit/flumekit/pkg/fault"
)

func TestFindings(t *testing.T) {
	const servers = "kafka.bootstrap.servers=localhost:9092"
	for _, tt := range []struct {
		name                     string
		properties               []string
		errors, warnings, notice string
	}{
		{name: "only what is required", properties: []string{servers}},
		{name: "old names", properties: []string{"brokerList=localhost:9092", "topic=t", "groupId=g", "readSmallestOffset=true"}},
		{name: "the guide's name of what has no effect", properties: []string{servers, "pollTimeout=100"}, notice: "pollTimeout has no effect"},
		{name: "no servers", errors: "kafka.bootstrap.servers is missing"},
		{name: "an old client's properties", properties: []string{servers, "kafka.producer.batch.size=100", "zookeeperConnect=localhost:2181"}, notice: "kafka.producer.batch.size has no effect"},
		{name: "a misspelt property", properties: []string{servers, "kafka.producer.compresion.type=gzip"}, warnings: "did you mean kafka.producer.compression.type?"},
		{name: "a misspelt value", properties: []string{servers, "kafka.producer.compression.type=gzp"}, errors: `"gzp" is not one of none, gzip`},
		{name: "an assignor's class", properties: []string{servers, "kafka.consumer.partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor"}},
		{name: "an unknown assignor", properties: []string{servers, "kafka.consumer.partition.assignment.strategy=com.example.Mine"}, errors: `"com.example.Mine" is not one of range`},
		{name: "a session shorter than its heartbeat", properties: []string{servers, "kafka.consumer.session.timeout.ms=1000"}, errors: "the first must be longer"},
		{name: "no such reset", properties: []string{servers, "kafka.consumer.auto.offset.reset=smallest"}, errors: `"smallest" is not one of earliest`},
		{name: "Kerberos", properties: []string{servers, "kafka.producer.security.protocol=SASL_SSL"}, errors: "kafka.producer.sasl.mechanism: GSSAPI is not supported"},
		{name: "SASL without a user", properties: []string{servers, "kafka.consumer.security.protocol=sasl_plaintext", "kafka.consumer.sasl.mechanism=PLAIN"}, errors: "kafka.consumer.sasl.jaas.config is missing"},
		{name: "no version of TLS", properties: []string{servers, "kafka.producer.security.protocol=SSL", "kafka.producer.ssl.enabled.protocols=SSLv3"}, errors: `"SSLv3" is not a version of TLS`},
		{name: "a partition below 0", properties: []string{servers, "defaultPartitionId=-2"}, errors: "defaultPartitionId is -2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, found := decode(tt.properties...)
			for _, each := range []struct {
				what string
				got  []error
				want string
			}{{"errors", found.Errors, tt.errors}, {"warnings", found.Warnings, tt.warnings}, {"notices", found.Notices, tt.notice}} {
				var lines []string
				for _, err := range each.got {
					lines = append(lines, fault.Lines(err)...)
				}
				text := strings.Join(lines, "\n")
				if (text == "") != (each.want == "") || !strings.Contains(text, each.want) {
					t.Errorf("%s: got %q; want %q", each.what, text, each.want)
				}
			}
		})
	}
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct{ word, servers, topic string }{
		{"localhost:9092", "localhost:9092", ""},
		{"a:1,b:2/t", "a:1,b:2", "t"},
	} {
		got, err := kafka.Spec.Target.Properties(tt.word)
		if err != nil || got["kafka.bootstrap.servers"] != tt.servers || got["kafka.topic"] != tt.topic {
			t.Errorf("%s: got %v, %v; want %s %s", tt.word, got, err, tt.servers, tt.topic)
		}
	}
	if _, err := kafka.Spec.Target.Properties("a:1/"); err == nil {
		t.Error("a:1/: got no error")
	}
}
