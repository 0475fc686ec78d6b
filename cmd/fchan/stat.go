// Stat tells how a channel is: what it holds, for how long, and who is at it.
//
//	fchan stat /var/spool/c1
//	fchan stat unix:/run/c1.sock --json | jq .held.events
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. A channel that a process has is asked over its socket and goes on
// undisturbed. If no process has the directory, this one opens it for as long as
// it needs, and sets damage aside as anyone does who opens it (fchan verify does
// not). Then the capacity is not known: it is a property of those who run the
// channel.
//
// In hand is what takers have and have not committed: it counts as held, and goes
// back to the head when its taker ends. Bytes are counted as the channel's type
// counts them against its capacity.
//
// --json has the same for programs, as one object; times are RFC 3339. The exit
// status is 0 if the channel can be asked and its store works, else 1.

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/cli"
)

//go:embed stat.go
var statSource string

// answerOptions are how a command answers.
type answerOptions struct {
	JSON bool `name:"json" help:"Answer in JSON, for programs."`
}

func runStat(ctx, stop context.Context, args []string) error {
	var how answerOptions
	cmd, err := cli.Parse(program, lookCatalog("stat", "Tell how a channel is.", statSource), args, cli.Group{Title: "The answer", Options: &how, Command: true})
	if err != nil {
		return err
	}
	_, ctx = cmd.Contexts(ctx, stop)
	access, err := cmd.Options.look(ctx)
	if err != nil {
		return err
	}
	s, err := access.Stat(ctx)
	if err = errors.Join(err, access.Close()); err != nil {
		return fmt.Errorf("asking the channel: %w", err)
	}
	if how.JSON {
		err = writeJSON(os.Stdout, s)
	} else {
		err = writeStat(os.Stdout, s, time.Now())
	}
	if err == nil && s.Down != nil {
		err = fmt.Errorf("the channel's store does not work: %s", s.Down.Reason)
	}
	return err
}

func writeJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// writeStat writes s for a person who reads it at now.
func writeStat(w io.Writer, s channel.Stat, now time.Time) error {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("channel", "%s", where(s))
	if s.Policy != "" {
		line("policy", "%s", s.Policy)
	}
	if s.Down != nil {
		line("down", "for %s: %s", age(now, s.Down.Since), s.Down.Reason)
	}
	line("held", "%s", holding(s, now))
	if s.InHand.Batches > 0 {
		line("in hand", "%s in %s", amount(s.InHand.Totals), plural(s.InHand.Batches, "batch", "batches"))
	}
	line("put", "%s", amount(s.Put))
	line("taken", "%s", amount(s.Taken))
	if s.Process != 0 {
		waiting := ""
		if s.Waiting > 0 {
			waiting = fmt.Sprintf("; %s for room", plural(s.Waiting, "put waits", "puts wait"))
		}
		line("clients", "%s, %s%s", plural(s.Putters, "putter", "putters"), plural(s.Takers, "taker", "takers"), waiting)
	}
	if s.Retained != nil && (s.Retain > 0 || s.Oldest == nil || s.Retained.Before(*s.Oldest)) {
		retained := ""
		if s.Retain > 0 {
			retained = ", retained for " + time.Duration(s.Retain*float64(time.Second)).String()
		}
		line("reaches", "back to %s%s", stamp(*s.Retained), retained)
	}
	for _, l := range s.Lost {
		line("lost", "%s", loss(l))
	}
	if s.Lost == nil {
		line("lost", "nothing")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// where says which channel it is and who has it.
func where(s channel.Stat) string {
	text := s.Kind
	if text == "" {
		text = "of an unknown type"
	}
	if s.Dir != "" {
		text += " " + s.Dir
	}
	if s.Process == 0 {
		return text + ", at rest"
	}
	return fmt.Sprintf("%s, in process %d", text, s.Process)
}

func holding(s channel.Stat, now time.Time) string {
	text := amount(s.Held)
	if s.Capacity != nil && s.Capacity.Events > 0 {
		text = fmt.Sprintf("%s of %s events (%.0f %%), %s", digits(s.Held.Events), digits(uint64(s.Capacity.Events)),
			100*float64(s.Held.Events)/float64(s.Capacity.Events), size(s.Held.Bytes))
		if s.Capacity.Bytes > 0 {
			text += " of " + size(uint64(s.Capacity.Bytes))
		}
	}
	if s.Oldest != nil {
		text += fmt.Sprintf("; the oldest is %s old", age(now, *s.Oldest))
	}
	return text
}

func loss(l channel.Loss) string {
	lost := channel.Totals{Events: l.Events, Bytes: l.Bytes}
	return fmt.Sprintf("%s to damage found %s (%s)", amount(lost), stamp(l.Time), places(l.First, l.Last))
}

func amount(t channel.Totals) string {
	return fmt.Sprintf("%s, %s", pluralOf(t.Events, "event"), size(t.Bytes))
}

func pluralOf(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return digits(n) + " " + one + "s"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// digits writes n with commas between groups of three.
func digits(n uint64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// size writes a number of bytes in the unit that suits it.
func size(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	of, units := float64(n)/1024, "KMGTPE"
	for of >= 1023.95 && len(units) > 1 {
		of, units = of/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", of, units[0])
}

// age writes how long ago at was, in two units at most.
func age(now, at time.Time) string {
	d := max(0, now.Sub(at))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// stamp writes a time as people read it here.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
