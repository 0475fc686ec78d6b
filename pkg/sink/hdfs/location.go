package hdfs

import "strings"

// location is a path of Hadoop's, taken apart. It is no URL: what the path has
// of percent signs are escapes.
type location struct {
	scheme, host, path string
}

func locate(text string) location {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || strings.ContainsAny(scheme, "/%") {
		return location{path: text}
	}
	at := location{scheme: strings.ToLower(scheme), path: rest}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		at.host, at.path, _ = strings.Cut(after, "/")
		at.path = "/" + at.path
	}
	return at
}
