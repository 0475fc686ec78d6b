package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
)

// relay takes the lines that one process writes to its standard error. Log lines
// it passes on, the error that a program ends with it keeps.
type relay struct {
	program, name string
	logs          io.Writer
	log           zerolog.Logger // for lines that are not log lines

	mu sync.Mutex

	said []string // what stood after "fsrc: " in the lines of an error
}

// Write takes whole lines.
func (r *relay) Write(lines []byte) (int, error) {
	for line := range bytes.Lines(lines) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if line[0] == '{' && json.Valid(line) {
			if _, err := r.logs.Write(line); err != nil {
				return 0, err
			}
			continue
		}
		text := strings.TrimRight(string(line), "\r\n")
		if said, ok := strings.CutPrefix(text, r.program+": "); ok && r.keep(said) {
			continue
		}
		r.log.Warn().Str("name", r.name).Msg(text)
	}
	return len(lines), nil
}

// keep keeps said if it is a line of fault.Lines.
func (r *relay) keep(said string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind, _, _ := strings.Cut(said, ": ")
	switch kind {
	case "error":
	case "at", "hint":
		if r.said == nil {
			return false
		}
	default:
		return false
	}
	r.said = append(r.said, said)
	return true
}

// failure returns the error that the process reported since the last call, or
// nil. The places and hints are those of the process, or else where.
func (r *relay) failure(where string) error {
	r.mu.Lock()
	said := r.said
	r.said = nil
	r.mu.Unlock()

	var errs []error
	var err error
	located := true
	next := func() {
		if err != nil && !located {
			err = fault.At(err, where)
		}
		if err != nil {
			errs = append(errs, err)
		}
		err, located = nil, false
	}
	for _, line := range said {
		kind, text, _ := strings.Cut(line, ": ")
		switch kind {
		case "error":
			next()
			err = errors.New(text)
		case "at":
			err, located = fault.At(err, text), true
		case "hint":
			err = fault.Hint(err, "%s", text)
		}
	}
	next()
	return errors.Join(errs...)
}
