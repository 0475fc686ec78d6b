// Package all is the catalogue of channels.
package all

import (
	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/channel/jdbc"
	"github.com/flumekit/flumekit/pkg/channel/jetstream"
	"github.com/flumekit/flumekit/pkg/channel/kafka"
	"github.com/flumekit/flumekit/pkg/channel/memory"
	"github.com/flumekit/flumekit/pkg/channel/pseudotxnmemory"
	"github.com/flumekit/flumekit/pkg/channel/spillablememory"
	"github.com/flumekit/flumekit/pkg/component"
)

// Catalog is all channels that are built in.
var Catalog = component.Catalog[channel.Options]{
	memory.Spec,
	file.Spec,
	spillablememory.Spec,
	jdbc.Spec,
	pseudotxnmemory.Spec,
	kafka.Spec,
	jetstream.Spec,
}
