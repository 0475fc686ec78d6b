// Package all is the catalogue of sinks.
package all

import (
	"slices"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/avro"
	"github.com/flumekit/flumekit/pkg/sink/fileroll"
	"github.com/flumekit/flumekit/pkg/sink/hdfs"
	"github.com/flumekit/flumekit/pkg/sink/logger"
	"github.com/flumekit/flumekit/pkg/sink/null"
	"github.com/flumekit/flumekit/pkg/sink/plugin"
	"github.com/flumekit/flumekit/pkg/sink/stdout"
)

// Catalog is all sinks that are built in.
var Catalog = component.Catalog[sink.Options]{
	logger.Spec,
	null.Spec,
	fileroll.Spec,
	hdfs.Spec,
	avro.Spec,
	stdout.Spec,
}

// For returns the catalogue to look for typ in: that of the sinks that are
// built in, and with them the plug-in on PATH that typ is if it is none of those.
func For(typ string) component.Catalog[sink.Options] {
	if _, err := Catalog.Find("sink", typ); err == nil {
		return Catalog
	}
	if spec, ok := plugin.Find(typ); ok {
		return append(slices.Clone(Catalog), spec)
	}
	return Catalog
}
