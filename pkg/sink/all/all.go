// Package all is the catalogue of sinks.
package all

import (
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/fileroll"
	"github.com/flumekit/flumekit/pkg/sink/logger"
	"github.com/flumekit/flumekit/pkg/sink/null"
	"github.com/flumekit/flumekit/pkg/sink/stdout"
)

// Catalog is all sinks that are built in.
var Catalog = component.Catalog[sink.Options]{
	logger.Spec,
	null.Spec,
	fileroll.Spec,
	stdout.Spec,
}
