package file

import (
	"context"

	"github.com/flumekit/flumekit/pkg/channel"
)

// Config returns how the channel in dir is opened, for one that is a part of another
// channel too.
func (o *Options) Config(ctx context.Context, dir *channel.Dir) (channel.Config, error) {
	warnOfFlume(ctx, dir.Path())
	conf := channel.Config{
		Limits:    o.limits(dir.Path()),
		Dir:       dir,
		MayLose:   !bool(o.FsyncPerTransaction),
		TrimBytes: 64 << 20,
		Retain:    o.Retain.Duration(),
	}
	if o.OnDamage == "quarantine" {
		conf.Store.Aside = dir.Aside()
	}
	keys, err := o.Encryption.Open()
	if err != nil {
		return channel.Config{}, err
	}
	conf.Store.Keys = keys
	if !o.FsyncPerTransaction {
		conf.Store.SyncInterval = o.FsyncInterval.Duration()
	}
	return conf, nil
}
