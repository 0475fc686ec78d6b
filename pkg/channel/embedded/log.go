package embedded

import (
	"fmt"

	"github.com/rs/zerolog"
)

// serverLog is the embedded server's log. What is a notice to those who run a
// server is a detail to those who run a channel. Errors go to trouble, and are
// what the appends are told that the server does not answer: so they are
// returned, and a detail in the log.
type serverLog struct {
	log     zerolog.Logger
	trouble chan error
}

func (l serverLog) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }

func (l serverLog) Errorf(format string, v ...any) {
	l.log.Debug().Str("severity", "error").Msgf(format, v...)
	l.report(format, v)
}

func (l serverLog) Fatalf(format string, v ...any) {
	// The process does not end: the server stops by itself, and whoever
	// waits for it gets an error.
	l.log.Debug().Str("severity", "fatal").Msgf(format, v...)
	l.report(format, v)
}

func (l serverLog) Warnf(format string, v ...any) {
	// A warning with an error in it is why something was not done.
	if cause := wrapped(v); cause != nil {
		l.report(format, v)
	}
	l.log.Debug().Str("severity", "warning").Msgf(format, v...)
}

func (l serverLog) report(format string, v []any) {
	err := wrapped(v)
	if err == nil {
		err = fmt.Errorf(format, v...)
	}
	select {
	case l.trouble <- err:
	default:
	}
}

// wrapped returns the error that a line of the log is about.
func wrapped(v []any) error {
	for _, arg := range v {
		if err, ok := arg.(error); ok {
			return err
		}
	}
	return nil
}
