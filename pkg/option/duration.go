package option

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Seconds is a length of time that Flume counts in seconds.
type Seconds time.Duration

// UnmarshalText reads a whole number of seconds (30), or a duration with units
// (30s, 5m, 1h30m, 250ms). Numbers too large for a time.Duration, such as
// Java's Long.MAX_VALUE for "never", become the longest one, 292 years.
func (s *Seconds) UnmarshalText(text []byte) error {
	d, err := parseDuration(string(text), time.Second)
	if err != nil {
		return fault.Hint(fmt.Errorf("%q is not a number of seconds", text), "write 30, 30s or 5m")
	}
	*s = Seconds(d)
	return nil
}

// Duration returns s as a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// String returns s with its units: "30s".
func (s Seconds) String() string { return time.Duration(s).String() }

// Millis is a length of time that Flume counts in milliseconds.
type Millis time.Duration

// UnmarshalText reads a whole number of milliseconds (3000), or a duration
// with units, as Seconds does.
func (m *Millis) UnmarshalText(text []byte) error {
	d, err := parseDuration(string(text), time.Millisecond)
	if err != nil {
		return fault.Hint(fmt.Errorf("%q is not a number of milliseconds", text), "write 3000, 3s or 5m")
	}
	*m = Millis(d)
	return nil
}

// Duration returns m as a time.Duration.
func (m Millis) Duration() time.Duration { return time.Duration(m) }

// String returns m with its units: "3s".
func (m Millis) String() string { return time.Duration(m).String() }

// parseDuration reads a whole number of units, or a duration with its units.
func parseDuration(text string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return time.ParseDuration(text)
	}
	switch most := math.MaxInt64 / int64(unit); {
	case n > most:
		return math.MaxInt64, nil
	case n < -most:
		return math.MinInt64, nil
	}
	return time.Duration(n) * unit, nil
}
