package main_test

import (
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyFindsEveryFlippedBit flips bits at random in a channel at rest, but for
// the end of its files. What verify says is lost is what is not delivered then, to the event; and a channel in
// which it finds nothing lost delivers all.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	const all = 3000
	made := filepath.Join(t.TempDir(), "c1")
	for from := 1; from < all; from += 1000 {
		in := lines(t, filepath.Join(t.TempDir(), "in"), from, from+999)
		put := command(t, "fchan", "put", made, "--transactionCapacity", "100")
		pipeline(t, in, nil, put)
		in.Close()
		if err := put.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	lost, whole := 0, 0
	for range 25 {
		dir := filepath.Join(t.TempDir(), "c1")
		if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
		var files []string
		filepath.WalkDir(filepath.Join(dir, "store"), func(path string, d fs.DirEntry, err error) error {
			if info, _ := d.Info(); d.Type().IsRegular() && info.Size() > 0 {
				files = append(files, path)
			}
			return err
		})
		file := files[rand.IntN(len(files))]
		if blocks, _ := filepath.Glob(filepath.Join(dir, "store/*/jetstream/*/streams/*/msgs/*.blk")); rand.IntN(4) > 0 {
			file = blocks[rand.IntN(len(blocks))]
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at := rand.IntN(len(text))
		for i := at; i < min(at+1+rand.IntN(3), len(text)); i++ {
			text[i] ^= byte(1 + rand.IntN(255))
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		answer, _, status := output(t, "fchan", "verify", dir, "--json")
		var found struct {
			Sound bool
			Lost  int
		}
		if err := json.Unmarshal([]byte(answer), &found); err != nil {
			t.Fatalf("%s at %d: %v: %s", file, at, err, answer)
		}
		if found.Sound != (status == 0) || found.Sound && found.Lost > 0 {
			t.Errorf("%s at %d: status %d: %s", file, at, status, answer)
		}
		got, _, _ := output(t, "fchan", "take", dir, "--once", "--format", "json")
		if n := strings.Count(got, "\n"); n+found.Lost != all {
			t.Errorf("%s at %d: %d of %d events are delivered; verify said: %s", file, at, n, all, answer)
		}
		if found.Lost > 0 {
			lost++
		} else {
			whole++
		}
	}
	t.Logf("%d times something was lost, %d times nothing", lost, whole)
}
