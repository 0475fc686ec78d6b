package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
)

const (
	// keyHeader is the header that is a record's key.
	keyHeader = "key"
	// malformedHeader says why a record is not a Flume event.
	malformedHeader = "flumekit.malformed"
	// anyPartition is the partition of records that the partitioner is to
	// choose one for.
	anyPartition = -1
)

// codec turns events into records and back.
type codec struct {
	topic            string
	avro             bool   // values are AvroFlumeEvents, else bodies
	partitionHeader  string // "": none
	defaultPartition int32
}

// records returns the records of b's events. In their raw form they share b's
// memory.
func (c *codec) records(b *event.Batch) ([]kgo.Record, error) {
	records := make([]kgo.Record, 0, b.Len())
	var values []byte // one after the other
	if c.avro {
		values = make([]byte, 0, b.Size()+b.Len()*avroOverhead)
	}
	for e := range b.All() {
		r := kgo.Record{Topic: c.topic, Partition: c.defaultPartition, Value: e.Body}
		if key, ok := e.Headers.Get(keyHeader); ok {
			r.Key = []byte(key)
		}
		if c.partitionHeader != "" {
			if text, ok := e.Headers.Get(c.partitionHeader); ok {
				partition, err := parsePartition(text)
				if err != nil {
					return nil, fmt.Errorf("header %q: %w", c.partitionHeader, err)
				}
				r.Partition = partition
			}
		}
		if c.avro {
			start := len(values)
			values = appendAvro(values, e)
			r.Value = values[start:len(values):len(values)]
		}
		records = append(records, r)
	}
	return records, nil
}

// parsePartition reads the number of a partition as Java's parseInt does.
func parsePartition(text string) (int32, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, fault.Hint(fmt.Errorf("%q is not the number of a partition", text), "partitions are numbered from 0")
	}
	return int32(n), nil
}

// event returns the event that a record is, which shares the record's memory.
//
// Flume: a record that is no Flume event is an error, and lost with the next
// commit; a null value is one too.
func (c *codec) event(r *kgo.Record) (e event.Event, malformed error) {
	e.Body = r.Value
	if c.avro {
		if e, malformed = decodeAvro(r.Value); malformed != nil {
			e = event.Event{Headers: event.NewHeaders(malformedHeader, malformed.Error()), Body: r.Value}
		}
	}
	if r.Key != nil {
		e.Headers = e.Headers.With(keyHeader, string(r.Key))
	}
	return e, malformed
}

// An AvroFlumeEvent in Avro's binary form is a map of strings and a string of
// bytes. A map is blocks of entries, each after its number of entries; a block
// of none ends it. Where that number is negative the block's size in bytes
// follows. Numbers are varints in zigzag, as encoding/binary's are.

// avroOverhead is what that form may need for an event besides what a batch
// needs: the map's count and its end, and longer lengths.
const avroOverhead = 3 * binary.MaxVarintLen32

func appendAvro(to []byte, e event.Event) []byte {
	if n := e.Headers.Len(); n > 0 {
		to = binary.AppendVarint(to, int64(n))
		for key, value := range e.Headers.All() {
			to = binary.AppendVarint(to, int64(len(key)))
			to = append(to, key...)
			to = binary.AppendVarint(to, int64(len(value)))
			to = append(to, value...)
		}
	}
	to = append(to, 0)
	to = binary.AppendVarint(to, int64(len(e.Body)))
	return append(to, e.Body...)
}

var errCut = errors.New("it ends too early for a Flume event in Avro's form")

func decodeAvro(text []byte) (e event.Event, err error) {
	var pairs []string
	rest := text
	for {
		var count int64
		if count, rest, err = avroLong(rest); err != nil {
			return e, err
		}
		if count == 0 {
			break
		}
		if count < 0 {
			count = -count
			if _, rest, err = avroLong(rest); err != nil {
				return e, err
			}
		}
		// An entry has two bytes at least.
		if count < 0 || count > int64(len(rest)/2) {
			return e, errCut
		}
		for range 2 * count {
			var word []byte
			if word, rest, err = avroBytes(rest); err != nil {
				return e, err
			}
			pairs = append(pairs, string(word))
		}
	}
	if e.Body, rest, err = avroBytes(rest); err != nil {
		return e, err
	}
	if len(rest) > 0 {
		return event.Event{}, fmt.Errorf("%d bytes follow what would be a Flume event in Avro's form", len(rest))
	}
	e.Headers = event.NewHeaders(pairs...)
	return e, nil
}

func avroLong(text []byte) (n int64, rest []byte, err error) {
	n, length := binary.Varint(text)
	switch {
	case length == 0:
		return 0, nil, errCut
	case length < 0:
		return 0, nil, errors.New("it has a number that is too long for Avro's form")
	}
	return n, text[length:], nil
}

func avroBytes(text []byte) (word, rest []byte, err error) {
	n, rest, err := avroLong(text)
	switch {
	case err != nil:
		return nil, nil, err
	case n < 0:
		return nil, nil, errors.New("it has a negative length, which Avro's form has not")
	case n > int64(len(rest)):
		return nil, nil, errCut
	}
	return rest[:n], rest[n:], nil
}

// partitioner leaves records where they say they belong, and spreads the
// others.
type partitioner struct{ others kgo.Partitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.others.ForTopic(topic)}
}

type topicPartitioner struct{ others kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner.
func (t topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != anyPartition || t.others.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner.
func (t topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition != anyPartition {
		return int(r.Partition)
	}
	return t.others.Partition(r, n)
}

// OnNewBatch implements kgo.TopicPartitionerOnNewBatch.
func (t topicPartitioner) OnNewBatch() {
	if others, ok := t.others.(kgo.TopicPartitionerOnNewBatch); ok {
		others.OnNewBatch()
	}
}
