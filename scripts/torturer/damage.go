package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
)

// damages are what has come of flipping bits.
type damages struct {
	rounds, bits int
	held         int             // events that the untouched copies delivered
	reported     int             // events that the channel reported lost
	lost         map[origin]bool // events that a copy delivered and the damaged store did not
}

// damageStores is the run with damage: again and again, writers and readers are
// killed, or told to end, and bits of the store are flipped.
func (t *torture) damageStores(ctx context.Context, out io.Writer) error {
	t.put("s1", "store")
	t.put("s2", "store")
	t.take("store", "store-r1")
	d := &damages{lost: make(map[origin]bool)}
	begin := time.Now()
	for ctx.Err() == nil && time.Since(begin) < t.duration && len(t.problems) == 0 {
		if err := t.fill(ctx); err != nil {
			return err
		}
		if err := t.damageOnce(ctx, d); err != nil && ctx.Err() == nil {
			t.problems = append(t.problems, fmt.Sprintf("round %d: %v", d.rounds, err))
		}
	}
	ctx = context.WithoutCancel(ctx)
	if len(t.problems) == 0 { // what is in doubt is put again
		for _, l := range t.lines {
			l.begin(ctx)
		}
		if err := errors.Join(stopAll(ctx, t.lines[:2]), stopAll(ctx, t.lines[2:]), t.drain(ctx, t.dir, "store", "store-rest-last")); err != nil {
			return err
		}
	}
	return t.printDamage(out, d, time.Since(begin))
}

// fill lets writers and readers work for a moment, kills some of them, and in the
// end all of them; at times they may end by themselves.
func (t *torture) fill(ctx context.Context) error {
	all, end := context.WithCancel(ctx)
	lines := t.lines
	if t.decide.IntN(2) == 0 { // a backlog
		lines = t.lines[:2]
	}
	for _, l := range lines {
		l.begin(all)
	}
	for range t.decide.IntN(5) {
		t.pause(ctx, t.every)
		t.kills += lines[t.decide.IntN(len(lines))].kill(t.decide.IntN(2))
	}
	t.pause(ctx, t.every)
	if len(lines) == 3 && t.decide.IntN(3) == 0 {
		defer end()
		return errors.Join(stopAll(ctx, lines[:2]), stopAll(ctx, lines[2:]))
	}
	end()
	for _, l := range lines {
		<-l.done
		t.kills += 2
	}
	return nil
}

// damageOnce flips bits in the store, and holds what it delivers then to what a
// copy of it delivers.
func (t *torture) damageOnce(ctx context.Context, d *damages) error {
	if _, err := os.Stat(t.in("store", "store")); errors.Is(err, fs.ErrNotExist) {
		return nil // all were killed before anything was stored
	}
	d.rounds++
	untouched := t.in("untouched")
	if err := os.RemoveAll(untouched); err != nil {
		return err
	}
	err := errors.Join(os.MkdirAll(filepath.Join(untouched, "received"), 0o755), copyFiles(filepath.Join(untouched, "store"), t.in("store")))
	if err != nil {
		return err
	}
	reported, err := t.losses()
	if err != nil {
		return err
	}
	bits, err := t.flip(t.in("store", "store"))
	if err != nil {
		return err
	}
	d.bits += bits
	reader := fmt.Sprintf("store-rest-%d", d.rounds)
	if err := t.drain(ctx, untouched, "store", reader); err != nil {
		return fmt.Errorf("the copy that is not damaged: %w", err)
	}
	if err := t.drain(ctx, t.dir, "store", reader); err != nil {
		return err
	}
	want, err := count(filepath.Join(untouched, "received", reader))
	if err != nil {
		return err
	}
	got, err := count(t.in("received", reader))
	if err != nil {
		return err
	}
	now, err := t.losses()
	if err != nil {
		return err
	}
	acked := make(map[string]int)
	for _, l := range t.lines[:2] {
		noted, err := readNotes(t.dir, l.name)
		if err != nil {
			return err
		}
		acked[l.name] = noted.acked
	}
	missing, inDoubt := 0, 0
	for o, n := range want {
		d.held += n
		if left := n - got[o]; left > 0 {
			missing += left
			d.lost[o] = true
			// What was stored at the very end and not acknowledged yet: nobody
			// knows it from a write that the kill tore.
			if o.n > acked[o.writer] {
				inDoubt += left
			}
		}
		delete(got, o)
	}
	for o := range got {
		return fmt.Errorf("the damaged store delivered %v, which it does not hold", o)
	}
	if now -= reported; now < missing-inDoubt || now > missing {
		return fmt.Errorf("%d events, %d of them not acknowledged, did not come out of the damaged store, but it reported %d to be lost", missing, inDoubt, now)
	}
	d.reported += now
	return nil
}

// losses returns how many events the channel has reported to be lost so far.
func (t *torture) losses() (events int, err error) {
	file, err := os.Open(t.in("store", "damaged", "losses"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var l channel.Loss
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return 0, fmt.Errorf("%s: %w", file.Name(), err)
		}
		events += int(l.Events)
	}
	return events, lines.Err()
}

// flip flips some bits in the files below dir, and returns how many.
func (t *torture) flip(dir string) (bits int, err error) {
	var files []string
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil && info.Size() > 0 {
				files = append(files, path)
			}
		}
		return err
	})
	if err != nil || len(files) == 0 {
		return 0, err
	}
	for range 1 + t.decide.IntN(4) {
		path := files[t.decide.IntN(len(files))]
		if err := flipBit(path, t.decide.Float64(), t.decide.IntN(8)); err != nil {
			return bits, err
		}
		bits++
	}
	return bits, nil
}

// flipBit flips a bit of the byte that lies where of a file's length.
func flipBit(path string, where float64, bit int) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	at, b := int64(where*float64(info.Size())), make([]byte, 1)
	if _, err := file.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 1 << bit
	_, err = file.WriteAt(b, at)
	return err
}

// copyFiles copies the directory at from, but for its sockets.
func copyFiles(to, from string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case entry.Type().IsRegular():
			content, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(target, content, 0o600)
			}
			return err
		}
		return nil
	})
}

// count returns how often a reader was given each event.
func count(path string) (map[origin]int, error) {
	times := make(map[origin]int)
	var all error
	err := readReceived(path, func(o origin, last int) {
		for ; o.n <= last; o.n++ {
			times[o]++
		}
	}, func(what string) { all = errors.Join(all, errors.New(what)) })
	return times, errors.Join(err, all)
}

// printDamage prints the ledger of a run with damage.
func (t *torture) printDamage(out io.Writer, d *damages, took time.Duration) error {
	b, err := t.account()
	if err != nil {
		return err
	}
	lost := make(map[string]map[int]bool)
	for o := range d.lost {
		if lost[o.writer] == nil {
			lost[o.writer] = make(map[int]bool)
		}
		lost[o.writer][o.n] = true
	}
	acked, delivered, missing, silent := 0, 0, 0, 0
	for _, name := range b.order {
		a := b.writers[name]
		acked, delivered = acked+a.acked, delivered+a.delivered
		a.missing(func(n int) {
			missing++
			if !lost[name][n] {
				silent++
			}
		})
	}
	if silent > 0 {
		t.problems = append(t.problems, fmt.Sprintf("%d events are lost, and nobody said so", silent))
	}
	for _, what := range b.damaged {
		t.problems = append(t.problems, "an event came out other than it went in: "+what)
	}
	for _, l := range t.lines {
		t.problems = append(t.problems, l.problems...)
	}
	var page strings.Builder
	fmt.Fprintf(&page, "%d times bits were flipped in a store at rest, %d bits in all, while it held %d events in all\n", d.rounds, d.bits, d.held)
	fmt.Fprintf(&page, "acknowledged %d, delivered %d, reported lost %d (%d of them came another time), silently lost %d\n",
		acked, delivered, d.reported, d.reported-missing, silent)
	fmt.Fprintf(&page, "%d kills in %.0f s; seed %d\n", t.kills, took.Seconds(), t.seed)
	return t.conclude(out, page.String())
}
