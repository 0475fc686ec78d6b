package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// Logging is the options of a process's log.
type Logging struct {
	Format string `name:"log-format" enum:"auto,console,json,flume" default:"auto" help:"Form of the log on standard error: console for people, json for programs, flume for Flume's own lines. auto is console on a terminal and json elsewhere."`
	Level  string `name:"log-level" enum:"debug,info,warn,error" default:"warn" help:"The least that is logged. An agent's processes are run with info."`
}

// Logger returns a logger that writes to w. Its lines have the field time, and
// name unless that is "".
func (l Logging) Logger(w io.Writer, name string) zerolog.Logger {
	level, err := zerolog.ParseLevel(l.Level)
	if err != nil || level == zerolog.NoLevel {
		level = zerolog.InfoLevel
	}
	switch l.Format {
	case "json":
	case "flume":
		w = flumeWriter{w}
	case "console":
		w = console(w)
	default:
		if terminal(w) {
			w = console(w)
		}
	}
	logger := zerolog.New(w).Level(level).Hook(zerolog.HookFunc(stamp))
	if name != "" {
		logger = logger.With().Str("name", name).Logger()
	}
	return logger
}

// stampLayout is RFC 3339 with the milliseconds that Flume's lines have;
// zerolog's own time stamps have whole seconds.
const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// stamp adds the time to a log line.
func stamp(line *zerolog.Event, _ zerolog.Level, _ string) {
	line.Str(zerolog.TimestampFieldName, time.Now().Format(stampLayout))
}

// terminal says whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// console returns a writer that lays log lines out for people, in colour on a
// terminal unless NO_COLOR asks for none.
func console(w io.Writer) io.Writer {
	return zerolog.ConsoleWriter{
		Out:           w,
		NoColor:       !terminal(w) || os.Getenv("NO_COLOR") != "",
		TimeFormat:    time.TimeOnly,
		PartsOrder:    []string{"time", "level", "logger", "message"},
		FieldsExclude: []string{"logger"},
	}
}

// flumeWriter writes log lines in Flume's form.
type flumeWriter struct{ to io.Writer }

// Write writes one log line.
func (w flumeWriter) Write(line []byte) (int, error) {
	if _, err := fmt.Fprintf(w.to, "%s\n", FlumeLine(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// FlumeLine returns a JSON log line in the form that Flume's log has,
//
//	2019-05-30 22:50:45,479 INFO node.Application: Starting Sink k1
//
// without a line end. The component's name stands before a message that does
// not have it, an error after the message, and other fields in parentheses at
// the end. A line that is not such JSON is returned as it is, in the
// memory it came in.
func FlumeLine(line []byte) []byte {
	line = bytes.TrimRight(line, "\r\n")
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if decoder.Decode(&fields) != nil || fields["level"] == nil || fields["message"] == nil {
		return line
	}
	take := func(field, otherwise string) string {
		value, ok := fields[field]
		delete(fields, field)
		if !ok {
			return otherwise
		}
		return fmt.Sprint(value)
	}
	stamp, err := time.Parse(time.RFC3339, take("time", ""))
	if err != nil {
		stamp = time.Now()
	}
	level := strings.ToUpper(take("level", ""))
	name := take("name", "")
	logger := take("logger", "flumekit")
	text := take("message", "")
	if name != "" && !slices.Contains(strings.FieldsFunc(text, separates), name) {
		text = name + ": " + text
	}
	if err := take("error", ""); err != "" {
		text += ": " + err
	}
	var others []string
	for field, value := range fields {
		others = append(others, fmt.Sprintf("%s=%v", field, value))
	}
	if others != nil {
		slices.Sort(others)
		text += " (" + strings.Join(others, ", ") + ")"
	}
	// One line of log is one line of text, or a message could forge others.
	text = strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(text)
	return fmt.Appendf(nil, "%s %s %s: %s", stamp.Local().Format("2006-01-02 15:04:05,000"), level, logger, text)
}

// separates says whether r stands between the words of a message.
func separates(r rune) bool { return strings.ContainsRune(" ,:;()'\"", r) }
