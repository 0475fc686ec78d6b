package escape

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Zone is a time zone in an option struct. The zero Zone is the system's.
type Zone struct {
	name     string
	location *time.Location
}

// Location returns the zone for package time.
func (z Zone) Location() *time.Location {
	if z.location == nil {
		return time.Local
	}
	return z.location
}

// String returns the zone's name, "" for the system's.
func (z Zone) String() string { return z.name }

var offset = regexp.MustCompile(`^(?:GMT|UTC)([+-])(\d\d?)(?::?(\d\d))?$`)

// UnmarshalText reads a zone by its name as Java has it: Europe/Berlin, PST,
// GMT+8, GMT-03:30.
//
// Flume: a name that is not known is GMT, without a word.
func (z *Zone) UnmarshalText(text []byte) error {
	name := string(text)
	if m := offset.FindStringSubmatch(name); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi(m[3])
		seconds := (hours*60 + minutes) * 60
		if m[1] == "-" {
			seconds = -seconds
		}
		if hours < 24 && minutes < 60 {
			*z = Zone{name, time.FixedZone(name, seconds)}
			return nil
		}
	}
	full := name
	if known, ok := short[name]; ok {
		full = known
	}
	location, err := time.LoadLocation(full)
	if err != nil || name == "" || name == "Local" {
		return fault.Hint(fmt.Errorf("%q is not a time zone", name), "write its name as Europe/Berlin, UTC or GMT+8")
	}
	*z = Zone{name, location}
	return nil
}

// short are the names of three letters that Java knows besides those of the
// zone database.
var short = map[string]string{
	"ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires",
	"ART": "Africa/Cairo", "AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka",
	"CAT": "Africa/Harare", "CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai",
	"EAT": "Africa/Addis_Ababa", "ECT": "Europe/Paris", "IET": "America/Indiana/Indianapolis",
	"IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "MIT": "Pacific/Apia", "NET": "Asia/Yerevan",
	"NST": "Pacific/Auckland", "PLT": "Asia/Karachi", "PNT": "America/Phoenix",
	"PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal",
	"VST": "Asia/Ho_Chi_Minh",
}
