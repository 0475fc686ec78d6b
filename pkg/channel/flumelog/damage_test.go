package flumelog_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel/flumelog"
	"github.com/flumekit/flumekit/pkg/fault"
)

// offsets returns where the records of a log of version 3 stand.
func offsets(log []byte) []int {
	var all []int
	for at := 0; at < len(log) && log[at] == 0x7F; {
		all = append(all, at)
		at += 5 + int(binary.BigEndian.Uint32(log[at+1:]))
	}
	return all
}

// TestDamage damages the records of a channel, one after the other. The records of
// closed are: five puts, their commit, two takes, their commit. The replay is
// a full one, and Flume would refuse all of these.
func TestDamage(t *testing.T) {
	all := []string{"1", "2", "3", "4", "5"}
	for _, test := range []struct {
		name   string
		record int
		change func(record []byte)
		want   []string // the numbers of the events
		damage string
	}{
		{"a put's body", 3, func(b []byte) { b[len(b)-14] ^= 1 }, []string{"3", "5"}, "checksum"},
		{"the body of a put that was taken", 1, func(b []byte) { b[len(b)-14] ^= 1 }, all[2:], "none"},
		{"a put's header", 3, func(b []byte) { b[6] ^= 0xFF }, []string{"3", "5"}, ""},
		{"a put's length is too small", 2, func(b []byte) { b[4] -= 1 }, []string{"4", "5"}, "lengths"},
		{"a put's length is too large", 2, func(b []byte) { b[4] += 40 }, []string{"4", "5"}, "lengths"},
		{"a put's length goes beyond the file", 2, func(b []byte) { b[1] = 0x7F }, []string{"4", "5"}, "file ends"},
		{"a put's operation", 4, func(b []byte) { b[0] = 'x' }, []string{"3", "4"}, "0x78"},
		{"a put's operation says that the log ends", 4, func(b []byte) { b[0] = 0x80 }, []string{"3", "4"}, "something else follows"},
		{"a put is zeros", 2, func(b []byte) { clear(b) }, []string{"4", "5"}, "zeros"},
		{"the commit of the puts", 5, func(b []byte) { b[5] = 0 }, all[2:], "no type"},
		{"the commit of the puts commits nothing", 5, func(b []byte) { b[len(b)-5] = 9 }, all[2:], "type 9"},
		{"a take", 6, func(b []byte) { b[6] = 0xFF }, []string{"1", "3", "4", "5"}, ""},
		{"the commit of the takes, which is the last", 8, func(b []byte) { b[4] = 0 }, all, ""},
		{"a record of length 0", 8, func(b []byte) { clear(b[1:]) }, all, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := unpack(t, "closed")
			name := filepath.Join(dir, "data1", "log-1")
			log, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			at := offsets(log)
			if len(at) != 9 {
				t.Fatalf("the log has %d records; want 9", len(at))
			}
			start := at[test.record]
			test.change(log[start : start+5+int(binary.BigEndian.Uint32(log[start+1:]))])
			if err := os.WriteFile(name, log, 0o644); err != nil {
				t.Fatal(err)
			}
			o := options(t, dir)
			o.CheckpointDir = ""
			lines, damage := drain(t, open(t, o))
			var got []string
			for _, l := range lines {
				got = append(got, l[strings.LastIndexByte(l, ' ')+1:])
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got events %q; want %q", got, test.want)
			}
			if test.damage == "none" {
				if len(damage) > 0 {
					t.Errorf("got damage %v; want none", damage)
				}
				return
			}
			if len(damage) != 1 || damage[0].File != name || damage[0].Offset != int64(at[test.record]) ||
				!strings.Contains(damage[0].Error(), test.damage) {
				t.Errorf("got damage %v; want one in %s at %d with %q", damage, name, at[test.record], test.damage)
			}
		})
	}
}

// TestTruncated holds that a log that was cut anywhere gives the events before
// the cut and no more than one damage, and that reading it never fails.
func TestTruncated(t *testing.T) {
	dir := unpack(t, "logs")
	o := options(t, dir)
	o.CheckpointDir = ""
	names, err := filepath.Glob(filepath.Join(dir, "data1", "log-*[0-9]"))
	if err != nil || len(names) < 2 {
		t.Fatalf("got logs %q, %v", names, err)
	}
	name := slices.MaxFunc(names, func(a, b string) int {
		return len(offsetsOf(t, a)) - len(offsetsOf(t, b))
	})
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := offsets(log)
	for cut := at[len(at)-1] + 60; cut >= 0; cut -= 7 {
		if err := os.Truncate(name, int64(cut)); err != nil {
			t.Fatal(err)
		}
		c := open(t, o)
		_, damage := drain(t, c)
		damage = slices.DeleteFunc(damage, func(d *flumelog.Damage) bool { return d.File != name })
		if len(damage) > 1 {
			t.Fatalf("cut at %d: got damage %v", cut, damage)
		}
		c.Close()
	}
}

func offsetsOf(t *testing.T, name string) []int {
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return offsets(log)
}

// TestMissingLog holds that events in a log that is gone are reported one by one,
// and the others delivered.
func TestMissingLog(t *testing.T) {
	dir := unpack(t, "closed")
	if err := os.Remove(filepath.Join(dir, "data1", "log-1")); err != nil {
		t.Fatal(err)
	}
	lines, damage := drain(t, open(t, options(t, dir)))
	if len(lines) != 0 || len(damage) != 3 {
		t.Fatalf("got events %q and damage %v; want three damaged", lines, damage)
	}
	for _, d := range damage {
		if d.File != "log-1" || !strings.Contains(d.Error(), "missing") {
			t.Errorf("got %v; want that log-1 is missing", d)
		}
	}
}

// TestMeta holds that logs are read without their metadata, and with what is left
// of them after a kill between two renames.
func TestMeta(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(meta string) error
		damage int
	}{
		{"missing", os.Remove, 1},
		{"empty", func(meta string) error { return os.Truncate(meta, 0) }, 1},
		{"renamed .tmp", func(meta string) error { return os.Rename(meta, meta+".tmp") }, 0},
		{"renamed .old", func(meta string) error { return os.Rename(meta, meta+".old") }, 0},
		{"garbage", func(meta string) error { return os.WriteFile(meta, []byte("garbage"), 0o644) }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := unpack(t, "plain")
			if err := test.change(filepath.Join(dir, "data1", "log-1.meta")); err != nil {
				t.Fatal(err)
			}
			got, damage := drain(t, open(t, options(t, dir)))
			compare(t, got, wanted(t, dir))
			if len(damage) != test.damage {
				t.Errorf("got damage %v; want %d", damage, test.damage)
			}
		})
	}
}

// TestBadCheckpoint holds that a checkpoint that is not whole is not used.
func TestBadCheckpoint(t *testing.T) {
	flip := func(name string, at int) func(string) error {
		return func(dir string) error {
			name := filepath.Join(dir, name)
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			b[at] ^= 1
			return os.WriteFile(name, b, 0o644)
		}
	}
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
	}
	for _, test := range []struct {
		name   string
		change func(dir string) error
		why    string
	}{
		{"no checkpoint", remove("checkpoint"), "no such file"},
		{"no metadata", remove("checkpoint.meta"), "no such file"},
		{"no takes in flight", remove("inflighttakes"), "no such file"},
		{"an unknown version", flip("checkpoint", 7), "version"},
		{"another write order", flip("checkpoint", 15), "write order"},
		{"the mark of an incomplete one", flip("checkpoint", 39), "being written"},
		{"damaged metadata", flip("checkpoint.meta", 0), "message"},
		{"damaged puts in flight", flip("inflightputs", 0), "checksum"},
		{"damaged takes in flight", flip("inflighttakes", 20), "checksum"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := unpack(t, "inflight")
			o := options(t, dir)
			if err := test.change(o.CheckpointDir); err != nil {
				t.Fatal(err)
			}
			c := open(t, o)
			if !strings.HasPrefix(c.Start(), "the first record") || !strings.Contains(c.Start(), test.why) {
				t.Errorf("the replay started at %s; want the first record and %q", c.Start(), test.why)
			}
			got, damage := drain(t, c)
			want := wanted(t, dir)
			slices.Sort(got)
			slices.Sort(want)
			compare(t, got, want)
			if len(damage) != 0 {
				t.Errorf("got damage %v", damage)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := unpack(t, "encrypted")
	whole := options(t, dir)
	for _, test := range []struct {
		name   string
		change func(o *flumelog.Options)
		want   string
	}{
		{"no data directory", func(o *flumelog.Options) { o.DataDirs = nil }, "no data directory"},
		{"a directory that is not there", func(o *flumelog.Options) { o.CheckpointDir += "x" }, "no such file"},
		{"a directory that is a file", func(o *flumelog.Options) { o.CheckpointDir = filepath.Join(dir, "want") }, "not a directory"},
		{"a data directory given twice", func(o *flumelog.Options) { o.DataDirs = slices.Repeat(o.DataDirs, 2) }, "same number"},
		{"no keys", func(o *flumelog.Options) { o.Keys = nil }, "no keys are given"},
		{"a key that is not there", func(o *flumelog.Options) {
			o.Keys = func(string) ([]byte, error) { return nil, errors.New("no such alias") }
		}, "no such alias"},
		{"a key of no length that AES has", func(o *flumelog.Options) {
			o.Keys = func(string) ([]byte, error) { return []byte("short"), nil }
		}, "invalid key size"},
		{"a wrong key", func(o *flumelog.Options) {
			o.Keys = func(string) ([]byte, error) { return bytes.Repeat([]byte{1}, 16), nil }
		}, "opens no record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := whole
			test.change(&o)
			c, err := flumelog.Open(t.Context(), o)
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(strings.Join(fault.Lines(err), "\n"), test.want) {
				t.Errorf("got %v; want %q", err, test.want)
			}
		})
	}
	t.Run("a context that has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := flumelog.Open(ctx, whole); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v; want %v", err, context.Canceled)
		}
	})
}
