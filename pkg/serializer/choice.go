package serializer

// Choice is the field of a sink's options that chooses an event serializer by
// its type. The properties that begin with the field's own name and a dot are
// the serializer's:
//
//	Serializer serializer.Choice `name:"sink.serializer" default:"TEXT" help:"…"`
type Choice struct {
	Options
}

// Choose takes the serializer that typ names and returns its options, for the
// caller to fill. It is what package cli calls.
func (c *Choice) Choose(typ string) (options any, err error) {
	spec, err := Catalog.Find("serializer", typ)
	if err != nil {
		return nil, err
	}
	c.Options = spec.New()
	return c.Options, nil
}
