package component

import "github.com/rs/zerolog"

// Notice begins a log line that the user sees whatever the level is: a guarantee
// that is given or cannot be, the sum at the end.
func Notice(log *zerolog.Logger) *zerolog.Event {
	return log.Log().Str(zerolog.LevelFieldName, zerolog.InfoLevel.String())
}
