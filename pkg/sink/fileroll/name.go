package fileroll

import (
	"strconv"
	"time"
)

// namer makes the names of files: prefix, time, counter, extension.
type namer struct {
	prefix, extension string
	stamp             string
	rolltime          bool // the stamp is when the file is made
	index             int  // of the name that was made last
}

func newNamer(o *Options) namer {
	n := namer{prefix: o.Prefix}
	if o.Extension != "" {
		n.extension = "." + o.Extension
	}
	if o.PathManager == "ROLLTIME" {
		n.rolltime = true
	} else {
		n.stamp = strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	return n
}

// next returns a name that it has not returned before.
func (n *namer) next() string {
	if n.rolltime {
		if now := time.Now().Format("20060102150405"); now != n.stamp {
			n.stamp, n.index = now, 0
		}
	}
	n.index++
	return n.prefix + n.stamp + "-" + strconv.Itoa(n.index) + n.extension
}

// unused takes back the last name, for which no file was made.
func (n *namer) unused() { n.index-- }
