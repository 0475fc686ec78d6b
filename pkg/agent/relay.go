package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// relay takes the lines that one process writes to its standard error. Log lines
// it passes on; the error that the process ends with it keeps, be that lines such
// as "fsrc: error: …" or a log line of the logger fsrc.
type relay struct {
	program   string
	component *flumeconf.Component
	logs      io.Writer
	log       zerolog.Logger // for lines that are not log lines

	mu sync.Mutex

	said []detail // of the error, in order
}

// detail is one line of fault.Lines.
type detail struct{ kind, text string }

// Write takes whole lines.
func (r *relay) Write(lines []byte) (int, error) {
	for line := range bytes.Lines(lines) {
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" || r.keep(text) {
			continue
		}
		if text[0] == '{' && json.Valid(line) {
			if _, err := r.logs.Write(line); err != nil {
				return 0, err
			}
			continue
		}
		r.log.Warn().Str("name", r.component.Name).Msg(text)
	}
	return len(lines), nil
}

// keep keeps what line says of the process's last error, if it does.
func (r *relay) keep(line string) bool {
	said := lastWords(r.program, line)
	r.mu.Lock()
	defer r.mu.Unlock()
	if said == nil || (r.said == nil && said[0].kind != "error") {
		return false
	}
	r.said = append(r.said, said...)
	return true
}

// lastWords returns what line says of the error that program ends with.
func lastWords(program, line string) []detail {
	if line[0] == '{' {
		var entry struct{ Level, Logger, Message, At, Hint string }
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Level != "error" || entry.Logger != program {
			return nil
		}
		said := []detail{{"error", entry.Message}, {"at", entry.At}, {"hint", entry.Hint}}
		return slices.DeleteFunc(said, func(d detail) bool { return d.text == "" })
	}
	rest, ok := strings.CutPrefix(line, program+": ")
	kind, text, _ := strings.Cut(rest, ": ")
	if !ok || (kind != "error" && kind != "at" && kind != "hint") {
		return nil
	}
	return []detail{{kind, text}}
}

// failure returns the error that the process has reported since the last call,
// or nil.
func (r *relay) failure() error {
	r.mu.Lock()
	said := r.said
	r.said = nil
	r.mu.Unlock()

	var errs []error
	for i := 0; i < len(said); {
		next := i + 1
		for next < len(said) && said[next].kind != "error" {
			next++
		}
		errs = append(errs, r.assemble(said[i].text, said[i+1:next]))
		i = next
	}
	return errors.Join(errs...)
}

// assemble makes an error of its text and the lines that came with it.
func (r *relay) assemble(text string, details []detail) error {
	err := errors.New(text)
	located := false
	for _, d := range details {
		switch d.kind {
		case "at":
			located = true
			err = fault.At(err, r.fullPlace(d.text))
		case "hint":
			err = fault.Hint(err, "%s", d.text)
		}
	}
	if !located {
		err = fault.At(err, r.component.Where(r.culprit(text)))
	}
	return err
}

// fullPlace returns the place of a property with the property's full name: the
// process knows what stands after the component's alone.
func (r *relay) fullPlace(place string) string {
	for _, p := range r.component.Properties {
		if p.Pos.String()+": "+p.Key == place {
			return r.component.Where(p.Key)
		}
	}
	return place
}

// culprit returns the property that an error speaks of: the last that stands
// there with its value, or the first that is named, or else the type.
func (r *relay) culprit(text string) string {
	below, text := r.member(text)
	key, at := "type", -1
	for _, p := range r.component.Properties {
		name, ok := strings.CutPrefix(p.Key, below)
		if !ok {
			continue
		}
		for _, value := range []string{p.Value, strconv.Quote(p.Value)} {
			if i := strings.LastIndex(text, name+" "+value); i > at {
				key, at = name, i
			}
		}
	}
	if at >= 0 {
		return below + key
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,:;()\"'", r) }) {
		if _, ok := r.component.Lookup(below + word); ok {
			return below + word
		}
	}
	return below + key
}

// member returns what the properties of the sink of a group begin with that an
// error speaks of, and what it says of that sink.
func (r *relay) member(text string) (below, rest string) {
	if words, ok := strings.CutPrefix(text, "sink "); ok {
		if name, rest, ok := strings.Cut(words, ": "); ok && slices.Contains(r.component.Sinks, name) {
			return "sinks." + name + ".", rest
		}
	}
	return "", text
}
