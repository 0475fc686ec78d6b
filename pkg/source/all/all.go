// Package all is the catalogue of the sources that are built in.
package all

import (
	"slices"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/avro"
	"github.com/flumekit/flumekit/pkg/source/exec"
	"github.com/flumekit/flumekit/pkg/source/multiportsyslogtcp"
	"github.com/flumekit/flumekit/pkg/source/netcat"
	"github.com/flumekit/flumekit/pkg/source/plugin"
	"github.com/flumekit/flumekit/pkg/source/seq"
	"github.com/flumekit/flumekit/pkg/source/stdin"
	"github.com/flumekit/flumekit/pkg/source/syslogtcp"
	"github.com/flumekit/flumekit/pkg/source/syslogudp"
)

// Catalog is the sources that are built in.
var Catalog = component.Catalog[source.Options]{
	netcat.Spec,
	stdin.Spec,
	exec.Spec,
	seq.Spec,
	syslogtcp.Spec,
	multiportsyslogtcp.Spec,
	syslogudp.Spec,
	avro.Spec,
}

// For returns the catalogue to look for typ in: that of the sources that are
// built in, and with them the plug-in on PATH that typ is if it is none of those.
func For(typ string) component.Catalog[source.Options] {
	if _, err := Catalog.Find("source", typ); err == nil {
		return Catalog
	}
	if spec, ok := plugin.Find(typ); ok {
		return append(slices.Clone(Catalog), spec)
	}
	return Catalog
}
