package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/channel/flumelog"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// A batch of Flume's events holds no more than this.
const (
	flumeEvents = 1000
	flumeBytes  = 1 << 20
)

// importFlume puts what Flume's channel holds into ours, and moves Flume's files
// aside. What was put is told.
func importFlume(ctx, stop context.Context, options *file.Options, from flumelog.Options, keep bool, tell func(imported) error) error {
	flume, err := flumelog.Open(stop, from)
	if err != nil {
		return fmt.Errorf("reading Flume's file channel: %w", err)
	}
	defer flume.Close()
	log := zerolog.Ctx(ctx)
	log.Info().Msgf("Flume's channel holds %d events; read from %s", flume.Len(), flume.Start())
	access, err := reach(ctx, options)
	if err != nil {
		return err
	}
	if err := room(stop, access, flume.Len()); err != nil {
		access.Close() // nothing was done to it
		return err
	}
	damaged := 0
	n, err := access.Fill(stop, flumeBatches(flume, func(d *flumelog.Damage) {
		damaged++
		log.Error().Str("file", d.File).Int64("offset", d.Offset).Err(d.Err).Msg("a record of Flume's is damaged")
	}))
	if err = errors.Join(err, access.Close(), tell(imported{n, damaged})); err != nil {
		err = fmt.Errorf("importing Flume's channel: %w", err)
		return fault.Hint(err, "run it again: Flume's files are as they were; what was put before is put a second time")
	}
	if !keep {
		if err := moveAside(flume.Dirs()); err != nil {
			return fault.Hint(fmt.Errorf("all is committed; moving Flume's files aside: %w", err), "move them yourself: what is imported again is delivered twice")
		}
	}
	if damaged > 0 {
		err := fmt.Errorf("%d of Flume's records are damaged; all others are committed", damaged)
		return fault.WithStatus(err, fault.SetAside)
	}
	return nil
}

// flumeBatches ranges over Flume's events in batches; damage is told of.
func flumeBatches(flume *flumelog.Channel, tell func(*flumelog.Damage)) iter.Seq2[*event.Batch, error] {
	return func(yield func(*event.Batch, error) bool) {
		b := new(event.Batch)
		for e, err := range flume.Events() {
			var damage *flumelog.Damage
			switch {
			case errors.As(err, &damage):
				tell(damage)
				continue
			case err != nil:
				yield(nil, err)
				return
			}
			b.Append(e)
			if b.Len() >= flumeEvents || b.Size() >= flumeBytes {
				if !yield(b, nil) {
					return
				}
				b = new(event.Batch)
			}
		}
		if b.Len() > 0 {
			yield(b, nil)
		}
	}
}

// flumeDirs finds out which of Flume's directories each of dirs is, or has below it.
func flumeDirs(dirs []string) (opt flumelog.Options, err error) {
	for _, dir := range dirs {
		found, err := addFlumeDir(&opt, dir)
		if err != nil {
			return opt, err
		}
		below, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			return opt, err
		}
		for _, sub := range below {
			is, err := addFlumeDir(&opt, sub)
			if err != nil {
				return opt, err
			}
			found = found || is
		}
		if !found {
			err := fmt.Errorf("--from-flume: neither %s nor a directory in it is one of Flume's file channel", dir)
			return opt, fault.Hint(err, "a checkpoint directory has the file checkpoint, a data directory has files log-N")
		}
	}
	if len(opt.DataDirs) == 0 {
		return opt, fault.Hint(errors.New("--from-flume: none of the directories has Flume's logs"), "name the channel's dataDirs, too")
	}
	return opt, nil
}

// addFlumeDir adds dir to opt if it is one of Flume's.
func addFlumeDir(opt *flumelog.Options, dir string) (bool, error) {
	if filepath.Base(dir) == asideName {
		return false, nil
	}
	logs, err := filepath.Glob(filepath.Join(dir, "log-[0-9]*"))
	if err != nil {
		return false, err
	}
	if len(logs) > 0 {
		opt.DataDirs = append(opt.DataDirs, dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err != nil || isDir(filepath.Join(dir, "checkpoint")) {
		return len(logs) > 0, nil
	}
	place, what := &opt.CheckpointDir, "a checkpoint"
	if _, err := os.Stat(filepath.Join(dir, "backupComplete")); err == nil {
		place, what = &opt.BackupCheckpointDir, "the backup of a checkpoint"
	}
	if *place != "" {
		return false, fault.Hint(fmt.Errorf("--from-flume: %s and %s both have %s", *place, dir, what), "import one channel at a time")
	}
	*place = dir
	return true, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// flumeChannel returns where the file channel that name says lies, of those in
// Flume's configuration.
func flumeChannel(conf, name string) (flumelog.Options, error) {
	f, err := flumeconf.Load(conf)
	if err != nil {
		return flumelog.Options{}, fault.WithStatus(err, fault.Config)
	}
	channels := map[string]*flumeconf.Component{}
	for _, agent := range f.Agents() {
		a, err := f.Agent(agent)
		if err != nil {
			return flumelog.Options{}, err
		}
		for _, c := range a.Channels {
			if strings.EqualFold(c.Type, file.Spec.Name) || c.Type == file.Spec.Class {
				channels[a.Name+"."+c.Name] = c
			}
		}
	}
	names := slices.Sorted(maps.Keys(channels))
	switch c, ok := channels[name]; {
	case ok:
		return flumeProperties(c)
	case len(names) == 0:
		return flumelog.Options{}, fault.WithStatus(fmt.Errorf("%s has no file channel", conf), fault.Config)
	case name == "" && len(names) == 1:
		return flumeProperties(channels[names[0]])
	case name == "":
		err = fmt.Errorf("%s has several file channels", conf)
	default:
		err = fmt.Errorf("%s has no file channel %q", conf, name)
	}
	return flumelog.Options{}, fault.WithStatus(fault.Hint(err, "write --flume-channel with one of %s", strings.Join(names, ", ")), fault.Usage)
}

// flumeProperties reads the properties of Flume's file channel that say where it
// lies.
func flumeProperties(c *flumeconf.Component) (flumelog.Options, error) {
	get := func(key, unset string) string {
		if p, ok := c.Lookup(key); ok {
			return p.Value
		}
		return unset
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return flumelog.Options{}, err
	}
	at := func(path string) string {
		if below, ok := strings.CutPrefix(path, "~/"); ok {
			return filepath.Join(home, below)
		}
		return path
	}
	opt := flumelog.Options{
		CheckpointDir:       at(get("checkpointDir", "~/.flume/file-channel/checkpoint")),
		BackupCheckpointDir: at(get("backupCheckpointDir", "")),
	}
	for dir := range strings.SplitSeq(get("dataDirs", "~/.flume/file-channel/data"), ",") {
		if dir = strings.TrimSpace(dir); dir != "" {
			opt.DataDirs = append(opt.DataDirs, at(dir))
		}
	}
	if get("encryption.keyProvider", "") != "" {
		opt.Keys = flumeKeys(c, get)
	}
	return opt, nil
}

// flumeKeys returns what reads a key from the key store that the properties name.
func flumeKeys(c *flumeconf.Component, get func(key, unset string) string) func(alias string) ([]byte, error) {
	const provider = "encryption.keyProvider."
	store := file.Encryption{
		KeyStoreFile: get(provider+"keyStoreFile", ""),
		PasswordFile: get(provider+"keyStorePasswordFile", ""),
		KeyFiles:     map[string]string{},
	}
	for _, p := range c.Properties {
		if name, ok := strings.CutPrefix(p.Key, provider+"keys."); ok {
			store.KeyFiles[name] = p.Value
		}
	}
	return func(alias string) ([]byte, error) {
		key, err := store.Key(alias)
		if err != nil {
			err = fault.At(err, c.Where("encryption.keyProvider"))
		}
		return key, err
	}
}

// asideName is the directory into which Flume's files are moved.
const asideName = "imported-by-fchan"

// flumeFiles are the files of Flume's file channel, all but its lock.
var flumeFiles = []string{"checkpoint", "checkpoint.*", "backupComplete", "inflightputs", "inflighttakes", "queueset", "log-[0-9]*"}

// moveAside moves Flume's files into a directory beside them. A directory may be
// ours, too; what is not Flume's stays.
func moveAside(dirs []string) error {
	for _, dir := range dirs {
		var files []string
		for _, pattern := range flumeFiles {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return err
			}
			files = append(files, found...)
		}
		if len(files) == 0 {
			continue
		}
		aside := filepath.Join(dir, asideName)
		if err := os.Mkdir(aside, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		for _, f := range files {
			if err := os.Rename(f, filepath.Join(aside, filepath.Base(f))); err != nil {
				return err
			}
		}
	}
	return nil
}
