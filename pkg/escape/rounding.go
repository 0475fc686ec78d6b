package escape

import (
	"fmt"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Rounding takes times down to a multiple of Value units within the next larger
// unit: with 7 minutes to :00, :07 … :56 of each hour. Unit is time.Second,
// time.Minute or time.Hour, or 0 for no rounding.
type Rounding struct {
	Unit  time.Duration
	Value int
}

// Check says whether r can be.
func (r Rounding) Check() error {
	most := 60
	if r.Unit == time.Hour {
		most = 24
	}
	if r.Unit != 0 && (r.Value < 1 || r.Value > most) {
		return fault.Hint(fmt.Errorf("roundValue is %d", r.Value), "it must be from 1 to %d for this roundUnit", most)
	}
	return nil
}

// down returns t rounded. It counts as the clock on the wall does.
func (r Rounding) down(t time.Time) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	switch r.Unit {
	case time.Second:
		second -= second % r.Value
	case time.Minute:
		minute, second = minute-minute%r.Value, 0
	case time.Hour:
		hour, minute, second = hour-hour%r.Value, 0, 0
	default:
		return t
	}
	if r.Unit != time.Hour {
		// Within one hour nothing but the minute and second changes: of
		// the two hours that have one name when clocks go back, it stays
		// the same one.
		_, m, s := t.Clock()
		return t.Add(time.Duration(minute-m)*time.Minute + time.Duration(second-s)*time.Second).Truncate(time.Second)
	}
	return time.Date(year, month, day, hour, minute, second, 0, t.Location())
}
