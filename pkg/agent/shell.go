package agent

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// WriteShell writes the topology of a as lines for a POSIX shell that can be run
// as they are: a pipeline where a is a chain of one source, channel and sink,
// else background processes that are joined by sockets. Traits are as in NewPlan.
func WriteShell(w io.Writer, a *flumeconf.Agent, traits func(*flumeconf.Component) Traits) error {
	buf := bufio.NewWriter(w)
	fmt.Fprintf(buf, "#!/bin/sh\n# agent %s: %s\n", comment(a.Name), Size(a))
	plan := NewPlan(a, shellDir, traits)
	if isChain(a, plan) {
		writePipeline(buf, plan)
	} else {
		writeBackground(buf, plan)
	}
	return buf.Flush()
}

// Size says how many components a has: "1 source, 2 channels, 1 sink".
func Size(a *flumeconf.Agent) string {
	count := func(n int, noun string) string {
		if n == 1 {
			return "1 " + noun
		}
		return fmt.Sprintf("%d %ss", n, noun)
	}
	size := count(len(a.Sources), "source") + ", " + count(len(a.Channels), "channel") + ", " + count(len(a.Sinks), "sink")
	if len(a.SinkGroups) > 0 {
		size += ", " + count(len(a.SinkGroups), "sink group")
	}
	return size
}

// isChain reports whether a is what a pipeline is: one way from one source, to one
// sink or group of sinks.
func isChain(a *flumeconf.Agent, plan *Plan) bool {
	if len(a.Sources) != 1 || len(a.Channels) != 1 || len(plan.Processes) != 3 {
		return false
	}
	for _, p := range a.Sources[0].Properties {
		if strings.HasPrefix(p.Key, "selector.") {
			return false // it speaks of channels by name
		}
	}
	return true
}

func writePipeline(w io.Writer, plan *Plan) {
	channel, sink, source := &plan.Processes[0], &plan.Processes[1], &plan.Processes[2]
	order := []*Process{source, channel, sink}
	for _, p := range order {
		fmt.Fprintln(w, p.comment())
	}
	for i, p := range order {
		fmt.Fprint(w, p.shellCommand())
		if i < len(order)-1 {
			fmt.Fprint(w, " |")
		}
		fmt.Fprintln(w)
	}
}

// shellDir is where the sockets of the processes are that a shell starts.
const shellDir = "$dir"

func writeBackground(w io.Writer, plan *Plan) {
	fmt.Fprint(w, `
dir=$(mktemp -d)
sources= memory= sinks= durable=
end() { if [ $# -gt 0 ]; then kill "$@" 2>/dev/null; wait "$@"; fi; }
trap 'end $sources; end $memory; end $sinks; end $durable; rm -r "$dir"' EXIT
trap 'exit 0' HUP INT TERM
`)
	for i := range plan.Processes {
		p := &plan.Processes[i]
		group := "sinks"
		switch {
		case p.Component.Kind == flumeconf.Source:
			group = "sources"
		case p.Forgets:
			group = "memory"
		case p.Component.Kind == flumeconf.Channel:
			group = "durable"
		}
		links := make([]string, len(p.Links))
		for i, link := range p.Links {
			links[i] = shellLink(link)
		}
		fmt.Fprintf(w, "\n%s\n%s %s &\n", p.comment(), p.shellCommand(), strings.Join(links, " "))
		fmt.Fprintf(w, "%s=\"$%s $!\"\n", group, group)
		if p.Socket != "" {
			fmt.Fprintf(w, "until [ -S %s ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done\n", shellLink(p.Socket))
		}
	}
	fmt.Fprint(w, "\nwait\n")
}

// comment returns the line that says what p is and where it stands.
func (p *Process) comment() string {
	c := p.Component
	kind := string(c.Kind)
	if c.Kind == flumeconf.SinkGroup {
		kind = "sink group"
	}
	return fmt.Sprintf("# %s %s, %s", kind, comment(c.Name), comment(c.Pos.String()))
}

// comment makes text safe in a comment: nothing ends the line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
}

// shellCommand returns p's command line without its links.
func (p *Process) shellCommand() string {
	words := []string{p.Program, quote(p.Component.Type), quote("--name=" + p.Component.Name)}
	for _, property := range p.Properties {
		words = append(words, quote("--"+property.Key+"="+property.Value))
	}
	return strings.Join(words, " ")
}

// shellLink quotes a word that may end in a socket below shellDir.
func shellLink(word string) string {
	if before, name, ok := strings.Cut(word, shellDir+"/"); ok {
		before, unix := strings.CutSuffix(before, "unix:")
		if unix {
			return quoteNonEmpty(before) + `"unix:` + shellDir + "/" + name + `"`
		}
		return `"` + shellDir + "/" + name + `"`
	}
	return quote(word)
}

func quoteNonEmpty(word string) string {
	if word == "" {
		return ""
	}
	return quote(word)
}

// plainWord is what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote returns word as a POSIX shell reads it: the value alone is quoted in a
// flag, so that it remains legible.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	flag := ""
	if name, value, ok := strings.Cut(word, "="); ok && plainWord.MatchString(name) {
		flag, word = name+"=", value
	}
	return flag + "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
