package option

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Bytes is a size in bytes.
type Bytes int64

// suffixes are the units of sizes as GNU's tools have them: K and KiB are
// 1024, kB is 1000.
var suffixes = []struct {
	name string
	size int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1},
}

// UnmarshalText reads a whole number of bytes with or without a unit, in any
// letter case: 1048576, 1M and 1MiB are the same, 1MB is 1000000.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, unit := strings.ToLower(string(text)), int64(1)
	for _, s := range suffixes {
		if number, ok := strings.CutSuffix(digits, s.name); ok {
			digits, unit = strings.TrimRight(number, " "), s.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return fault.Hint(fmt.Errorf("%q is not a number of bytes", text), "write 1048576 or 1MiB")
	}
	if most := math.MaxInt64 / unit; n > most || n < -most {
		return fault.Hint(fmt.Errorf("%q is out of range", text), "write at most %d bytes", int64(math.MaxInt64))
	}
	*b = Bytes(n * unit)
	return nil
}

// String returns b in the largest binary unit that it is a whole number of:
// "64KiB", "1000".
func (b Bytes) String() string {
	for _, unit := range []struct {
		name string
		size Bytes
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b != 0 && b%unit.size == 0 {
			return strconv.FormatInt(int64(b/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
