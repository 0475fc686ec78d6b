package file_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
	"github.com/flumekit/flumekit/pkg/channel/file"
	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/option"
)

func TestPromises(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fsync option.Bool
	}{
		{"synced at each commit", true},
		{"synced every so often", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			channeltest.Run(t, channeltest.Subject{
				Open: func(t *testing.T, dir string, capacity, transaction int, keepAlive time.Duration) channel.Channel {
					o := file.Options{
						Dir:                 dir,
						Capacity:            option.Int(capacity),
						TransactionCapacity: option.Int(transaction),
						KeepAlive:           option.Seconds(keepAlive),
						FsyncPerTransaction: tt.fsync,
						FsyncInterval:       option.Seconds(time.Second),
					}
					return open(t, &o)
				},
				Durable: true,
				Full:    "The channel has reached it's capacity. This might be the result of a sink on the channel having too low of batch size, a downstream system running slower than normal, or that the channel capacity is just too low.",
			})
		})
	}
}

func open(t *testing.T, o *file.Options) channel.Channel {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(t.Context(), embedded.Open)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// options returns those of a file channel in dir.
func options(dir string) *file.Options {
	return &file.Options{Dir: dir, Capacity: 10, TransactionCapacity: 10, FsyncPerTransaction: true}
}

func TestMinimumRequiredSpace(t *testing.T) {
	o := options(t.TempDir())
	o.MinimumRequiredSpace = math.MaxInt64
	c := open(t, o)
	defer c.Close()
	var b event.Batch
	b.Append(event.Event{Body: []byte("a")})
	done := make(chan error, 1)
	c.Putter().Put(&b, false, func(err error) { done <- err })
	err := <-done
	if !errors.Is(err, channel.ErrFull) || !strings.HasPrefix(err.Error(), "Usable space exhausted, only ") ||
		!strings.HasSuffix(err.Error(), " bytes remaining, required 9223372036854775807 bytes") {
		t.Errorf("got %v; want Usable space exhausted", err)
	}
}

func TestDirectory(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("HOME", filepath.Join(parent, "home"))
	for _, tt := range []struct {
		name string
		o    file.Options
		want string // below parent, or an error
	}{
		{"is made", file.Options{Dir: filepath.Join(parent, "a")}, "a"},
		{"may be there", file.Options{Dir: filepath.Join(parent, "a")}, "a"},
		{"is not made with its parents", file.Options{Dir: filepath.Join(parent, "no/a")}, "no such file or directory"},
		{"goes before dataDirs", file.Options{Dir: filepath.Join(parent, "a"), DataDirs: []string{parent + "/b"}}, "a"},
		{"is the first of dataDirs", file.Options{DataDirs: []string{" ", parent + "/c/d ", parent + "/e"}}, "c/d"},
		{"may be at home", file.Options{DataDirs: []string{"~/.flume/file-channel/data"}}, "home/.flume/file-channel/data"},
		{"has to be named", file.Options{DataDirs: []string{""}}, "dataDirs names no directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.o.Directory(t.Context())
			if err != nil {
				if !strings.HasSuffix(err.Error(), tt.want) {
					t.Errorf("got %v; want %s", err, tt.want)
				}
				return
			}
			if got != filepath.Join(parent, tt.want) {
				t.Errorf("got %s; want %s", got, filepath.Join(parent, tt.want))
			}
			info, err := os.Stat(got)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o700 {
				t.Errorf("its mode is %v; want 0700", info.Mode().Perm())
			}
		})
	}
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	c := open(t, options(dir))
	if _, err := options(dir).Open(t.Context(), embedded.Open); !errors.Is(err, channel.ErrInUse) {
		t.Errorf("opened a second time: got %v; want %v", err, channel.ErrInUse)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, options(dir)).Close(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*file.Options)
		want string
	}{
		{"a sound one", func(*file.Options) {}, ""},
		{"no capacity", func(o *file.Options) { o.Capacity = 0 }, "capacity is 0"},
		{"no transactionCapacity", func(o *file.Options) { o.TransactionCapacity = 0 }, "transactionCapacity is 0"},
		{"a transaction that exceeds the capacity", func(o *file.Options) { o.TransactionCapacity = 11 }, "transactionCapacity is 11, but capacity is 10"},
		{"no interval", func(o *file.Options) { o.FsyncPerTransaction = false }, "fsyncInterval is 0s"},
		{"encryption without a provider", func(o *file.Options) { o.Encryption.ActiveKey = "k" },
			"encryption.activeKey is set, but encryption.keyProvider is not"},
		{"encryption without a key store", func(o *file.Options) {
			o.Encryption = encryption(t, "key-2", "key-2")
			o.Encryption.KeyStoreFile = ""
		}, "encryption.keyProvider is set, but encryption.keyProvider.keyStoreFile is not"},
		{"an active key that is none of the keys", func(o *file.Options) { o.Encryption = encryption(t, "key-3", "key-2") },
			`encryption.activeKey is "key-3", but encryption.keyProvider.keys has key-2`},
		{"a property of a key that is none", func(o *file.Options) {
			o.Encryption = encryption(t, "key-2", "key-2")
			o.Encryption.KeyFiles = map[string]string{"key-1.passwordFile": "x"}
		}, "encryption.keyProvider.keys.key-1.passwordFile is no property"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, got := options(t.TempDir()), ""
			tt.set(o)
			if err := o.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

// TestVisitorsRetainToo has one who does not run the channel open it: what its
// owner wants retained stays.
func TestVisitorsRetainToo(t *testing.T) {
	o := options(t.TempDir())
	o.Retain = option.Seconds(time.Hour)
	c := open(t, o)
	var b event.Batch
	b.Append(event.Event{Body: []byte("a")})
	done := make(chan error, 1)
	c.Putter().Put(&b, true, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := take(t, c, 1); err != nil {
		t.Fatal(err)
	}
	shut := func(c channel.Channel) {
		t.Helper()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	shut(c)
	retained := func(o *file.Options) (n int) {
		t.Helper()
		c := open(t, o)
		defer shut(c)
		for _, err := range c.(channel.Browser).Browse(t.Context(), channel.Span{Since: time.Now().Add(-time.Hour)}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	visitor := file.Visitor()
	visitor.Dir, visitor.Capacity, visitor.TransactionCapacity, visitor.FsyncPerTransaction = o.Dir, 10, 10, true
	for range 2 {
		if got := retained(visitor); got != 1 {
			t.Errorf("a visitor finds %d retained batches; want 1", got)
		}
	}
	shut(open(t, options(o.Dir)))
	visitor.Retain = 0
	shut(open(t, visitor))
	if visitor.Retain != 0 {
		t.Errorf("after an owner that retains nothing a visitor retains for %v", visitor.Retain)
	}
}
