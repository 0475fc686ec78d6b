// Package all is the catalogue of the sources that are built in.
package all

import (
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/exec"
	"github.com/flumekit/flumekit/pkg/source/netcat"
	"github.com/flumekit/flumekit/pkg/source/seq"
	"github.com/flumekit/flumekit/pkg/source/stdin"
)

// Catalog is the sources that are built in.
var Catalog = component.Catalog[source.Options]{
	netcat.Spec,
	stdin.Spec,
	exec.Spec,
	seq.Spec,
}
