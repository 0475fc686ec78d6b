package serializer

import "github.com/flumekit/flumekit/pkg/component"

// Catalog is all event serializers.
var Catalog = component.Catalog[Options]{
	Text,
	HeaderAndText,
	AvroEvent,
	AvroDatum,
}
