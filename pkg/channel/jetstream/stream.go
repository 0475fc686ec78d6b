package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/flumekit/flumekit/pkg/fault"
)

// unfit is why a stream or a consumer that others made cannot be used.
type unfit struct{ error }

func (u *unfit) Unwrap() error { return u.error }

func unfitf(hint, format string, args ...any) error {
	return fault.WithStatus(&unfit{fault.Hint(fmt.Errorf(format, args...), "%s", hint)}, fault.Config)
}

// findStream returns the stream, which it makes if it is not there.
func (o *Options) findStream(ctx context.Context, l *link) (js.Stream, error) {
	ctx, cancel := l.attempt(ctx)
	defer cancel()
	s, err := l.js.Stream(ctx, o.Stream)
	if errors.Is(err, js.ErrStreamNotFound) {
		s, err = l.js.CreateStream(ctx, o.newStream())
		if errors.Is(err, js.ErrStreamNameAlreadyInUse) { // somebody else was faster
			s, err = l.js.Stream(ctx, o.Stream)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the stream %s: %w", o.Stream, because(ctx, err))
	}
	return s, o.checkStream(s.CachedInfo().Config)
}

// newStream is a stream that refuses what it has no room for, and forgets what
// is taken for good and nothing else.
func (o *Options) newStream() js.StreamConfig {
	conf := js.StreamConfig{
		Name:        o.Stream,
		Description: "a Flumekit channel",
		Subjects:    []string{o.subject()},
		Retention:   js.WorkQueuePolicy,
		Discard:     js.DiscardNew,
		MaxBytes:    int64(o.MaxBytes),
		MaxMsgs:     int64(o.MaxMsgs),
		Replicas:    max(1, int(o.Replicas)),
		Duplicates:  o.Duplicate.Duration(),
		AllowDirect: true,
	}
	if o.Storage == "memory" {
		conf.Storage = js.MemoryStorage
	}
	return conf
}

// checkStream refuses a stream that may lose what was put into it, or that has
// not what was asked for.
func (o *Options) checkStream(s js.StreamConfig) error {
	edit := func(flags string) string { return fmt.Sprintf("nats stream edit %s %s", s.Name, flags) }
	bounded := s.MaxMsgs > 0 || s.MaxBytes > 0 || s.MaxMsgsPerSubject > 0
	switch {
	case s.MaxAge > 0:
		return unfitf(edit("--max-age=-1"), "the stream %s forgets messages that are older than %v, taken or not", s.Name, s.MaxAge)
	case bounded && s.Discard != js.DiscardNew:
		return unfitf(edit("--discard=new"), "the stream %s discards old messages when it is full", s.Name)
	case s.MaxMsgsPerSubject > 0 && !s.DiscardNewPerSubject:
		return unfitf(edit("--discard-per-subject"), "the stream %s discards old messages of a subject", s.Name)
	case s.Retention == js.InterestPolicy:
		return unfitf("make one with --retention=work", "the stream %s forgets what is put while it has no consumer", s.Name)
	case s.NoAck:
		return unfitf(edit("--ack"), "the stream %s does not acknowledge what is put", s.Name)
	case s.Sealed:
		return unfitf("name another", "the stream %s is sealed", s.Name)
	case s.Mirror != nil:
		return unfitf("name the stream that it mirrors", "the stream %s is a mirror", s.Name)
	case s.Replicas < int(o.Replicas):
		return unfitf(edit(fmt.Sprintf("--replicas=%d", o.Replicas)), "replicas is %d, but the stream %s has %d", o.Replicas, s.Name, s.Replicas)
	case o.Storage == "file" && s.Storage != js.FileStorage, o.Storage == "memory" && s.Storage != js.MemoryStorage:
		return unfitf("name another stream, or leave storage out", "storage is %s, but the stream %s is kept in a %s", o.Storage, s.Name, strings.ToLower(s.Storage.String()))
	}
	for _, pattern := range s.Subjects {
		if covers(pattern, o.subject()) {
			return nil
		}
	}
	return unfitf("set subject to one of them", "the stream %s has the subjects %s, but not %s", s.Name, strings.Join(s.Subjects, " "), o.subject())
}

// covers reports whether a subject pattern takes the subject.
func covers(pattern, subject string) bool {
	have := strings.Split(subject, ".")
	for i, token := range strings.Split(pattern, ".") {
		switch {
		case token == ">":
			return i < len(have)
		case i >= len(have) || token != "*" && token != have[i]:
			return false
		case i == strings.Count(pattern, "."):
			return i == len(have)-1
		}
	}
	return false
}
