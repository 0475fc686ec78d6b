// Package syslog knows what a syslog message is and how it travels: it cuts
// what comes over TCP into messages (Splitter), and makes events of messages
// (Parser). The sources syslogtcp, multiport_syslogtcp and syslogudp are built
// of it.
//
// A message is of RFC 3164 or RFC 5424, in the forms that Flume's sources take:
//
//	<PRI>[VERSION ]Oct 11 22:14:15 HOST BODY
//	<PRI>[VERSION ]2003-10-11T22:14:15.003Z HOST BODY
//	<PRI>[VERSION ]- HOST BODY
//
// PRI has one to three digits. HOST may be "-" in the last two, for none. BODY
// is whatever follows: the application's name, structured data and the rest of
// RFC 5424 stay in it.
//
// The headers of the event are Facility and Severity (of PRI), priority (PRI),
// version, timestamp (milliseconds since 1970) and host, those that the
// message has. A message that begins otherwise is kept as it came: after a PRI
// with Facility and Severity alone, and without one as an event with Facility
// and Severity 0 and the header flume.syslog.status=Invalid. A message of which
// only a part could be taken has flume.syslog.status=Incomplete.
package syslog

// Dialect is which of Flume's two parsers a source's headers are those of.
// Configurations name these headers, so the differences stay.
type Dialect int

const (
	// Single is what syslogtcp and syslogudp speak: see the package.
	Single Dialect = iota
	// Multiport is what multiport_syslogtcp speaks. Its headers are
	// Priority and Version with capitals; "-" for a time stands for the
	// present; and what has no time and host, or is not of its character
	// set, has flume.syslog.status=Invalid.
	Multiport
)

// Names of headers.
const (
	facilityHeader  = "Facility"
	severityHeader  = "Severity"
	timestampHeader = "timestamp"
	hostHeader      = "host"
	statusHeader    = "flume.syslog.status"
)

func (d Dialect) priorityHeader() string {
	if d == Multiport {
		return "Priority"
	}
	return "priority"
}

func (d Dialect) versionHeader() string {
	if d == Multiport {
		return "Version"
	}
	return "version"
}

// What statusHeader says.
const (
	invalid    = "Invalid"
	incomplete = "Incomplete"
)
