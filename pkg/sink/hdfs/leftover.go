package hdfs

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// patience is how long a file is waited for whose writer may yet be alive, or
// whose last block has no data node that is up.
const patience = 30 * time.Minute

// leftover is a file that was left in use: by another process, or by this one,
// which does not know whether it has made it.
type leftover struct {
	path string
	name name
	own  bool
	said bool // in the log, why it cannot be completed yet
}

// completeLeftovers completes the files that killed processes left in use.
//
// Flume: they stay as they are, for ever.
func (k *buckets) completeLeftovers() {
	if k.opt.InUsePrefix == "" && k.opt.InUseSuffix == "" {
		return // they look like all others
	}
	var found []*leftover
	for said := false; ; said = true {
		ctx, cancel := k.untilStopped()
		var err error
		found, err = k.findLeftovers(ctx)
		cancel()
		if err == nil {
			break
		}
		if !said {
			k.log.Warn().Err(err).Msg("Files that another process may have left in use cannot be looked for yet.")
		}
		if !k.wait(leaseWait) {
			return
		}
	}
	k.completeAll(found)
}

// completeAll completes files, and tries again while they are in use.
func (k *buckets) completeAll(found []*leftover) {
	var looks looks
	for deadline := time.Now().Add(patience); ; {
		var busy []*leftover
		for _, l := range found {
			if !k.completeLeftover(l) {
				busy = append(busy, l)
			}
		}
		if found = busy; len(found) == 0 {
			return
		}
		if time.Now().After(deadline) || !k.wait(looks.next()) {
			break
		}
	}
	for _, l := range found {
		k.log.Warn().Str("file", l.path).Msg("The file is left in use: another process may be writing to it, or was until a moment ago. The next start looks again.")
	}
}

// untilStopped returns a context that ends when the sink is closed and a bound
// has passed.
func (k *buckets) untilStopped() (context.Context, context.CancelFunc) {
	if bound := k.opt.CallTimeout.Duration(); bound > 0 {
		return context.WithTimeout(context.Background(), bound)
	}
	return context.WithCancel(context.Background())
}

// completeLeftover completes one file; false if it is to be tried again.
func (k *buckets) completeLeftover(l *leftover) bool {
	if k.inUse.has(l.path) {
		return false // it is written to again
	}
	ctx, cancel := k.untilStopped()
	defer cancel()
	err := k.fs.release(ctx, l.path, l.own)
	switch {
	case errors.Is(err, errInUse):
		return false
	case errors.Is(err, fs.ErrNotExist):
		return true
	case err != nil:
		return k.refused(l, err)
	}
	// What it was listed with is not its size, if it was in use.
	size := int64(-1)
	if entries, err := k.fs.list(ctx, path.Dir(l.path)); err == nil {
		for _, e := range entries {
			if e.name == path.Base(l.path) {
				size = e.size
			}
		}
	}
	if size == 0 {
		if err := k.fs.remove(ctx, l.path); err == nil {
			k.log.Warn().Str("file", l.path).Msg("An empty file that was left in use was removed.")
		}
		return true
	}
	if err := settle(ctx, k.fs, l.path, &l.name); err != nil {
		return k.refused(l, err)
	}
	k.log.Warn().Str("file", l.path).Str("renamed", l.name.final()).Int64("bytes", size).
		Msg("A file that was left in use was completed. The last batch in it may be there in part, and is delivered again.")
	return true
}

// refused says once why a file cannot be completed, and reports whether it is
// not worth trying again.
func (k *buckets) refused(l *leftover, err error) bool {
	if !l.said {
		k.log.Warn().Err(err).Str("file", l.path).Msg("A file that was left in use cannot be completed.")
		l.said = true
	}
	return errors.Is(err, fs.ErrPermission)
}

// findLeftovers looks wherever the sink's paths can lead.
func (k *buckets) findLeftovers(ctx context.Context) ([]*leftover, error) {
	pattern := strings.Split(strings.Trim(path.Clean(k.glob), "/"), "/")
	number := regexp.MustCompile(`\.(\d+)` + regexp.QuoteMeta(k.suffix+k.opt.InUseSuffix) + `$`)
	var found []*leftover
	seen := make(map[string]bool)
	var look func(dir string, pattern []string) error
	look = func(dir string, pattern []string) error {
		if len(pattern) > 1 && pattern[0] == "**" { // a header that an event has not
			if err := look(dir, pattern[1:]); err != nil {
				return err
			}
		}
		if len(pattern) > 1 && !strings.ContainsAny(pattern[0], `*\`) {
			return look(path.Join(dir, pattern[0]), pattern[1:])
		}
		entries, err := k.fs.list(ctx, dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			at := path.Join(dir, e.name)
			if ok, _ := path.Match(pattern[0], e.name); !ok || e.dir != (len(pattern) > 1) {
				continue
			}
			if e.dir {
				if err := look(at, pattern[1:]); err != nil {
					return err
				}
				continue
			}
			m := number.FindStringSubmatchIndex(e.name)
			if m == nil || seen[at] || k.inUse.has(at) {
				continue
			}
			seen[at] = true
			n, _ := strconv.ParseInt(e.name[m[2]:m[3]], 10, 64)
			prefix := strings.TrimPrefix(e.name[:m[0]], k.opt.InUsePrefix)
			found = append(found, &leftover{path: at, name: name{dir: dir, prefix: prefix, number: n, suffix: k.suffix}})
		}
		return nil
	}
	return found, look("/", pattern)
}
