package embedded

// OpenSized is Open with segments that are full at size bytes.
var OpenSized = openSegments

// PartSize is the most bytes of one record.
const PartSize = partSize

// OnCrashPoint sets what is called at each point where a crash leaves something.
func OnCrashPoint(f func(name string)) { crashPoint = f }
