// Package option has the types of option fields: whole numbers, booleans,
// durations, sizes, character sets and secrets, each read from text as Flume's
// documentation means it.
//
// The type carries the unit that Flume leaves to the documentation: a bare
// number is seconds to Seconds and milliseconds to Millis, and both read 5m as
// well. Every type has UnmarshalText, whose errors quote the text and have a
// hint that says what to write instead, and String, whose text UnmarshalText
// reads again (except Secret's, which tells nothing).
package option
