package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/interceptor"
	"github.com/flumekit/flumekit/pkg/selector"
	"github.com/flumekit/flumekit/pkg/serializer"
	"github.com/flumekit/flumekit/pkg/sinkgroup"

	channels "github.com/flumekit/flumekit/pkg/channel/all"
	sinks "github.com/flumekit/flumekit/pkg/sink/all"
	sources "github.com/flumekit/flumekit/pkg/source/all"
)

type typesCommand struct{}

// Run lists all components.
func (typesCommand) Run(context.Context, context.Context) error {
	var list strings.Builder
	w := tabwriter.NewWriter(&list, 0, 0, 2, ' ', 0)
	writeTypes(w, "source", sources.Catalog)
	writeTypes(w, "channel", channels.Catalog)
	writeTypes(w, "sink", sinks.Catalog)
	writeTypes(w, "processor", sinkgroup.Catalog)
	writeTypes(w, "interceptor", interceptor.Catalog)
	writeTypes(w, "selector", selector.Catalog)
	writeTypes(w, "serializer", serializer.Catalog)
	w.Flush()
	return cli.Answer(list.String())
}

// writeTypes writes a line for each component: its kind, type, class, and what
// it is for.
func writeTypes[O any](w *tabwriter.Writer, kind string, catalog component.Catalog[O]) {
	for _, spec := range catalog {
		class := spec.Class
		if class == "" {
			class = "-" // it is not Flume's
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", kind, spec.Name, class, spec.Summary)
	}
}
