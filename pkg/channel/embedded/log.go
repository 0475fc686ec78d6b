package embedded

import (
	"fmt"

	"github.com/rs/zerolog"
)

// serverLog is the embedded server's log. What is a notice to those who run a
// server is a detail to those who run a channel.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l serverLog) Errorf(format string, v ...any)  { l.log.Error().Msgf(format, v...) }

func (l serverLog) Fatalf(format string, v ...any) {
	// Not zerolog's Fatal, which ends the process: the server stops by
	// itself, and whoever waits for it gets an error.
	l.log.Error().Str("severity", "fatal").Msg(fmt.Sprintf(format, v...))
}

func (l serverLog) Warnf(format string, v ...any) {
	if format == payloadWarning {
		return
	}
	l.log.Warn().Msgf(format, v...)
}

// payloadWarning is what the server says of any MaxPayload over 8 MiB. It has
// networks in mind; here a message never leaves the process.
const payloadWarning = "Maximum payloads over %v are generally discouraged and could lead to poor performance"
