package sinkgroup

import (
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/sink"
)

// Catalog is the sink processors there are. New returns Options.
var Catalog = component.Catalog[sink.Options]{
	DefaultSpec,
	FailoverSpec,
	LoadBalanceSpec,
}
