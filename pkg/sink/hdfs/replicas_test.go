package hdfs

import (
	"context"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/escape"
)

// thinFS is to make two copies of each block, and makes one.
type thinFS struct{ localFS }

type thinFile struct{ file }

func (thinFS) replicas() int   { return 2 }
func (thinFile) replicas() int { return 1 }

func (in thinFS) create(ctx context.Context, path string) (file, error) {
	f, err := in.localFS.create(ctx, path)
	return thinFile{f}, err
}

// Each file with too few copies is completed, said once, up to thirty in a row.
func TestUnderReplication(t *testing.T) {
	dir := t.TempDir()
	opt := options(t, dir, "hdfs.rollCount", "0", "hdfs.rollSize", "0", "hdfs.rollInterval", "0")
	dirs, err := escape.Parse(dir, escape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	prefixes, err := escape.Parse("f", escape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	k := start(zerolog.New(&log).WithContext(t.Context()), opt, thinFS{}, dirs, prefixes, nil, "", false)
	for range maxUnderReplicated + 10 {
		put(t, k, "1")
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	rotated, given := strings.Count(log.String(), "Rotating file."), strings.Count(log.String(), "Hit max consecutive")
	if got := len(files(t, dir)); got != maxUnderReplicated+1 || rotated != maxUnderReplicated || given != 1 {
		t.Errorf("got %d files, %d and %d lines; want %d, %d and 1", got, rotated, given, maxUnderReplicated+1, maxUnderReplicated)
	}
}
