package interceptor

import "github.com/flumekit/flumekit/pkg/component"

// Catalog is the interceptors there are.
var Catalog = component.Catalog[Options]{
	TimestampSpec,
	HostSpec,
	StaticSpec,
}
