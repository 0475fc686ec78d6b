package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/stream"
)

// question is what one process asks the process that has a channel.
type question struct {
	Ask  ask  `json:"ask"`
	Span Span `json:"span,omitzero"` // of browse
}

type ask string

const (
	askStat   ask = "stat"   // answered by a Stat
	askBrowse ask = "browse" // by a Shown and its batch for each
	askPurge  ask = "purge"  // by Totals
)

// told is a part of an answer to browse.
type told struct {
	Shown
	Damage string `json:"damage,omitempty"`
}

// unable is the error of a channel that cannot do what it is asked.
func unable(what string) error {
	return fmt.Errorf("this type of channel cannot %s: %w", what, errors.ErrUnsupported)
}

func stat(ctx context.Context, c Channel) (Stat, error) {
	if i, ok := c.(Inspector); ok {
		return i.Stat(ctx)
	}
	return Stat{}, unable("tell how it is")
}

func browseIn(ctx context.Context, c Channel, span Span) iter.Seq2[Shown, error] {
	if b, ok := c.(Browser); ok {
		return b.Browse(ctx, span)
	}
	return func(yield func(Shown, error) bool) { yield(Shown{}, unable("be browsed")) }
}

func purge(ctx context.Context, c Channel) (Totals, error) {
	if p, ok := c.(Purger); ok {
		return p.Purge(ctx)
	}
	return Totals{}, unable("be purged")
}

// answer answers the question of one connection.
func (s *Server) answer(conn *stream.Conn) error {
	to := conn.Replier()
	defer context.AfterFunc(s.all, to.Abort)()
	err := s.reply(conn.Hello.Question, to)
	if err == nil {
		return to.End(nil)
	}
	code := stream.Failed
	if errors.Is(err, errors.ErrUnsupported) {
		code = stream.Unable
	}
	return to.End(&stream.Refused{Code: code, Text: err.Error()})
}

func (s *Server) reply(text json.RawMessage, to *stream.Replier) error {
	var q question
	if err := json.Unmarshal(text, &q); err != nil {
		return fmt.Errorf("reading the question: %w", err)
	}
	switch q.Ask {
	case askStat:
		stat, err := stat(s.all, s.channel)
		if err != nil {
			return err
		}
		s.about.describe(&stat)
		stat.Process = os.Getpid()
		return to.Say(stat, nil)
	case askBrowse:
		return s.show(q.Span, to)
	case askPurge:
		purged, err := purge(s.all, s.channel)
		if err != nil {
			return err
		}
		return to.Say(purged, nil)
	}
	return fmt.Errorf("the process that has the channel does not know the question %q: %w", q.Ask, errors.ErrUnsupported)
}

func (s *Server) show(span Span, to *stream.Replier) error {
	for shown, err := range browseIn(s.all, s.channel, span) {
		t := told{Shown: shown}
		switch {
		case errors.Is(err, event.ErrMalformed):
			t.Damage = err.Error()
		case err != nil:
			return err
		}
		if err := to.Say(t, shown.Batch); err != nil {
			return err
		}
	}
	return nil
}

// about is what a channel's options say of it.
type about struct {
	kind, policy, dir string
	// guessed says that the options are not those with which the channel is
	// run: it was opened to be looked into.
	guessed bool
}

func (a about) describe(s *Stat) {
	s.Kind, s.Policy, s.Dir = a.kind, a.policy, a.dir
	if a.guessed {
		s.Policy, s.Capacity, s.Retain = "", nil, 0
	}
}

// Stat tells how the channel is, whichever process has it.
func (a *Access) Stat(ctx context.Context) (Stat, error) {
	if a.channel == nil {
		var s Stat
		return s, a.ask(ctx, question{Ask: askStat}, &s)
	}
	s, err := stat(ctx, a.channel)
	a.about.describe(&s)
	return s, err
}

// Browse is Browser's, whichever process has the channel.
func (a *Access) Browse(ctx context.Context, span Span) iter.Seq2[Shown, error] {
	if a.channel != nil {
		return browseIn(ctx, a.channel, span)
	}
	return func(yield func(Shown, error) bool) {
		replies, err := stream.DialAsk(ctx, a.addr, a.name, question{Ask: askBrowse, Span: span})
		if err != nil {
			yield(Shown{}, err)
			return
		}
		defer replies.Close()
		for {
			var t told
			t.Batch, err = replies.Next(&t)
			switch {
			case err == io.EOF:
				return
			case err != nil:
				yield(Shown{}, err)
				return
			}
			var damage error
			if t.Damage != "" {
				damage = &damaged{t.Damage}
			}
			if !yield(t.Shown, damage) {
				return
			}
		}
	}
}

// damaged is the text of another process's error of a batch that is.
type damaged struct{ text string }

func (d *damaged) Error() string { return d.text }
func (d *damaged) Unwrap() error { return event.ErrMalformed }

// Purge is Purger's, whichever process has the channel.
func (a *Access) Purge(ctx context.Context) (Totals, error) {
	if a.channel != nil {
		return purge(ctx, a.channel)
	}
	var purged Totals
	return purged, a.ask(ctx, question{Ask: askPurge}, &purged)
}

// ask asks the channel's process a question with one answer.
func (a *Access) ask(ctx context.Context, q question, answer any) error {
	replies, err := stream.DialAsk(ctx, a.addr, a.name, q)
	if err != nil {
		return err
	}
	defer replies.Close()
	if _, err = replies.Next(answer); err == io.EOF {
		err = fmt.Errorf("%w: an answer with nothing in it", stream.ErrProtocol)
	}
	return err
}
