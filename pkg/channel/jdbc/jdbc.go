// Package jdbc is the jdbc channel: what a configuration for Flume's channel in a
// database becomes here. It holds events on disk, in the store of the file
// channel.
//
//	a1.channels.c1.type = jdbc
//
// Flume's jdbc channel keeps its events in an embedded Derby database. Nobody
// asks for that database: what is asked for is that events outlive the process.
// So this is the file channel, in DIR or in ~/.flume/jdbc-channel/NAME, where
// NAME is the channel's, and the properties of the database have no meaning. The
// old names of properties, org.apache.flume.channel.jdbc.maximum.capacity and so
// on, are taken too.
//
// What Flume has left in its database is not read: let its sinks take it before
// you move.
package jdbc

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed jdbc.go
var source string

// Spec is this channel's line in the catalogue.
var Spec = channel.Spec{
	Name:    "jdbc",
	Class:   "org.apache.flume.channel.jdbc.JdbcChannel",
	Summary: "Hold events on disk, where Flume has a database.",
	Manual:  component.Manual(source),
	Target:  component.Single("DIR", "dir"),
	New:     func() channel.Options { return new(Options) },
}

// Options are the properties of a jdbc channel.
type Options struct {
	Dir             string     `name:"dir" placeholder:"DIR" help:"Directory of the channel; ~/.flume/jdbc-channel/NAME if it is not given."`
	MaximumCapacity option.Int `name:"maximum.capacity" aliases:"org.apache.flume.channel.jdbc.maximum.capacity" default:"0" help:"Most events held; 0 is no bound."`

	DBType            string            `name:"db.type" notice:"events are held in files, not in a database"`
	DriverClass       string            `name:"driver.class" notice:"events are held in files, not in a database"`
	DriverURL         string            `name:"driver.url" notice:"events are held in files, not in a database; dir says where"`
	Username          string            `name:"db.username" notice:"events are held in files, not in a database"`
	Password          option.Secret     `name:"db.password" notice:"events are held in files, not in a database"`
	PropertiesFile    string            `name:"connection.properties.file" notice:"events are held in files, not in a database"`
	CreateSchema      option.Bool       `name:"create.schema" default:"true" notice:"events are held in files, not in a database"`
	CreateIndex       option.Bool       `name:"create.index" default:"true" notice:"events are held in files, not in a database"`
	CreateForeignKey  option.Bool       `name:"create.foreignkey" default:"true" notice:"events are held in files, not in a database"`
	Isolation         string            `name:"transaction.isolation" notice:"events are held in files, not in a database"`
	MaximumConnection option.Int        `name:"maximum.connections" default:"10" notice:"events are held in files, not in a database"`
	SystemProperties  map[string]string `name:"sysprop.<property>" notice:"there is no JVM to set properties of"`
	LongNames         map[string]string `name:"org.apache.flume.channel.jdbc.<property>" notice:"events are held in files, not in a database; of these names maximum.capacity alone has an effect"`
}

// transaction is the most events in one put: Flume has no bound; this is the
// file channel's.
const transaction = 10_000

// Validate checks what the values alone can tell.
func (o *Options) Validate() error {
	if o.MaximumCapacity < 0 {
		return fault.Hint(fmt.Errorf("maximum.capacity is %d", o.MaximumCapacity), "it must be 0, for no bound, or more")
	}
	return nil
}

// MaxEvents implements channel.Options.
func (o *Options) MaxEvents() int { return o.file().MaxEvents() }

// Splits implements channel.Splitter.
func (o *Options) Splits() {}

// Kind implements channel.Options.
func (o *Options) Kind() string { return "jdbc" }

// Forgets implements channel.Options.
func (o *Options) Forgets() bool { return false }

// Policy implements channel.Options.
func (o *Options) Policy() string { return o.file().Policy() }

// file returns the file channel that this one is.
func (o *Options) file() *file.Options {
	capacity := o.MaximumCapacity
	if capacity == 0 {
		capacity = math.MaxInt
	}
	return &file.Options{
		Dir:                  o.Dir,
		Capacity:             capacity,
		TransactionCapacity:  min(transaction, capacity),
		KeepAlive:            option.Seconds(3 * time.Second),
		MinimumRequiredSpace: 500 << 20,
		FsyncPerTransaction:  true,
		OnDamage:             "quarantine",
	}
}

// Path implements channel.Housed.
func (o *Options) Path(ctx context.Context) (path, property string, err error) {
	if o.Dir != "" {
		return o.file().Path(ctx)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		err = fault.Hint(fmt.Errorf("finding the channel's directory: %w", err), "set dir")
	}
	return filepath.Join(home, ".flume", "jdbc-channel", component.Name(ctx)), "dir", err
}

// Directory implements channel.Located.
func (o *Options) Directory(ctx context.Context) (string, error) {
	if o.Dir != "" {
		return o.file().Directory(ctx)
	}
	dir, _, err := o.Path(ctx)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the channel's directory: %w", err)
	}
	return dir, nil
}

// Open implements channel.Options.
func (o *Options) Open(ctx context.Context, open channel.OpenStore) (channel.Channel, error) {
	return channel.OpenLocated(ctx, o, open)
}

// OpenIn implements channel.Located.
func (o *Options) OpenIn(ctx context.Context, dir *channel.Dir, open channel.OpenStore) (channel.Channel, error) {
	return o.file().OpenIn(ctx, dir, open)
}
