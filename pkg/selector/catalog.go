package selector

import "github.com/flumekit/flumekit/pkg/component"

// Catalog is the channel selectors there are.
var Catalog = component.Catalog[Options]{
	ReplicatingSpec,
	MultiplexingSpec,
}
