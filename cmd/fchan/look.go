package main

import (
	"context"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// lookOptions are what a command needs that looks into a channel: all else is a
// matter of those who run it.
type lookOptions struct {
	Dir        string          `name:"dir" placeholder:"ADDR" help:"The channel; the same as ADDR."`
	OnDamage   string          `name:"on-damage" enum:"quarantine,refuse" default:"quarantine" help:"Where the store of a channel at rest is found damaged: set the damaged files aside, say exactly what is lost, and go on; or refuse to open it."`
	Encryption file.Encryption `embed:"" prefix:"encryption." group:"Encryption"`
}

// lookCatalog returns the catalogue that has such a command alone.
func lookCatalog(name, summary, source string) component.Catalog[*lookOptions] {
	return component.Catalog[*lookOptions]{{
		Name:    name,
		Summary: summary,
		Manual:  component.Manual(source),
		Target:  component.Single("ADDR", "dir"),
		New:     func() *lookOptions { return new(lookOptions) },
	}}
}

// look returns the access to the channel that o names.
func (o *lookOptions) look(ctx context.Context) (*channel.Access, error) {
	visitor := file.Visitor()
	if err := cli.Decode(nil, nil, visitor).Err(); err != nil { // it sets the defaults
		return nil, err
	}
	visitor.Dir, visitor.OnDamage, visitor.Encryption = o.Dir, o.OnDamage, o.Encryption
	return look(ctx, visitor)
}

const forever = option.Seconds(100 * 365 * 24 * time.Hour)

// look returns the access to the channel at the address that stands in a visitor's
// dir, for one who looks into it.
func look(ctx context.Context, visitor *file.Options) (*channel.Access, error) {
	dir, addr, err := channel.Address(visitor.Dir)
	if err != nil {
		return nil, fault.WithStatus(err, fault.Usage)
	}
	if addr != "" {
		return channel.LookAt(ctx, addr)
	}
	visitor.Dir = dir
	// How long events are kept is a matter of those who run the channel: we
	// forget nothing.
	visitor.Retain = forever
	return channel.Look(ctx, dir, visitor, embedded.Open)
}
