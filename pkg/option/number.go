package option

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Int is a whole number as Java's int: decimal (010 is ten), of 32 bits.
type Int int

// UnmarshalText reads a decimal number with or without a sign.
func (i *Int) UnmarshalText(text []byte) error {
	n, err := parseWhole(string(text), 32)
	if err != nil {
		return err
	}
	*i = Int(n)
	return nil
}

// String returns i in decimal.
func (i Int) String() string { return strconv.Itoa(int(i)) }

// Int64 is a whole number as Java's long: decimal, of 64 bits.
type Int64 int64

// UnmarshalText reads a decimal number with or without a sign.
func (i *Int64) UnmarshalText(text []byte) error {
	n, err := parseWhole(string(text), 64)
	if err != nil {
		return err
	}
	*i = Int64(n)
	return nil
}

// String returns i in decimal.
func (i Int64) String() string { return strconv.FormatInt(int64(i), 10) }

// parseWhole reads a decimal number of so many bits.
func parseWhole(text string, bits int) (int64, error) {
	n, err := strconv.ParseInt(text, 10, bits)
	if errors.Is(err, strconv.ErrRange) {
		most := int64(1)<<(bits-1) - 1
		return 0, fault.Hint(fmt.Errorf("%q is out of range", text), "write a number from %d to %d", -most-1, most)
	}
	if err != nil {
		return 0, fault.Hint(fmt.Errorf("%q is not a whole number", text), "write decimal digits alone, such as 1000")
	}
	return n, nil
}
