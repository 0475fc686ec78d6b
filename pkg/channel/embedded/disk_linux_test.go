package embedded_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/embedded"
)

// tmpfs mounts a small disk, or skips the test.
func tmpfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("skipped: a disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// untilRefused appends until that fails.
func untilRefused(t *testing.T, s channel.Store, m *model) error {
	t.Helper()
	for range 10_000 {
		n := uint64(len(m.all) + 1)
		data, totals := batch(n, 20_000), channel.Totals{Events: n, Bytes: n}
		seq, err := s.Append(t.Context(), data, totals)
		if err != nil {
			return err
		}
		m.all = append(m.all, channel.Message{Seq: seq, Totals: totals, Data: data})
	}
	t.Fatal("nothing was refused")
	return nil
}

// within fails the test if do takes so long that somebody would think it hangs.
func within(t *testing.T, what string, do func() error) {
	t.Helper()
	begin := time.Now()
	if err := do(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("%s took %v", what, took)
	}
}

func TestFullDisk(t *testing.T) {
	disk := tmpfs(t)
	c, m := conf(t, filepath.Join(disk, "store")), new(model)
	s := open(t, c)
	for range 3 {
		err := untilRefused(t, s, m)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got %v; want no space left on device", err)
		}
		if _, again := s.Append(t.Context(), batch(1, 10), channel.Totals{}); again == nil {
			t.Error("an append after one that failed went well")
		}
		m.holds(t, s)
		within(t, "closing", s.Close)
		within(t, "opening", func() error {
			s = open(t, c)
			return nil
		})
		m.holds(t, s)
	}
	// It can be drained, and then there is room.
	m.trimmed = m.last()
	if err := s.Trim(t.Context(), m.trimmed); err != nil {
		t.Fatal(err)
	}
	n := uint64(len(m.all) + 1)
	seq, data := add(t, s, n, 20_000)
	m.all = append(m.all, channel.Message{Seq: seq, Totals: channel.Totals{Events: n, Bytes: n * 10}, Data: data})
	m.holds(t, s)
	closed(t, s)
}

func TestFullDiskOfOneSegment(t *testing.T) {
	c, m := conf(t, filepath.Join(tmpfs(t), "store")), new(model)
	one := func() *embedded.Store {
		s, err := embedded.OpenSized(t.Context(), c, 1<<30, part)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := one()
	if err := untilRefused(t, s, m); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v; want no space left on device", err)
	}
	closed(t, s)
	s = one()
	m.holds(t, s)
	m.trimmed = m.last()
	if err := s.Trim(t.Context(), m.trimmed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n := uint64(len(m.all) + 1)
		seq, data := add(t, s, n, 20_000)
		m.all = append(m.all, channel.Message{Seq: seq, Totals: channel.Totals{Events: n, Bytes: n * 10}, Data: data})
		m.holds(t, s)
		closed(t, s)
		s = one()
	}
	if missing := s.Missing(); len(missing) > 0 {
		t.Errorf("got missing %v; want none", missing)
	}
	closed(t, s)
}

func TestReadOnlyDisk(t *testing.T) {
	disk := tmpfs(t)
	c, m := conf(t, filepath.Join(disk, "store")), new(model)
	s := open(t, c)
	for n := range uint64(20) {
		seq, data := add(t, s, n+1, 20_000)
		m.all = append(m.all, channel.Message{Seq: seq, Totals: channel.Totals{Events: n + 1, Bytes: (n + 1) * 10}, Data: data})
	}
	closed(t, s)
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	s = open(t, c)
	m.holds(t, s)
	if _, err := s.Append(t.Context(), batch(1, 10), channel.Totals{}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("got %v; want read-only file system", err)
	}
	m.holds(t, s)
	within(t, "closing", s.Close)
}

// failing is a file system whose writes or syncs of block files fail when it is
// told so.
type failing struct {
	*fs.LoopbackNode
	how *trouble
}

func (n *failing) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &failing{child.(*fs.LoopbackNode), n.how}
}

type trouble struct{ write, sync atomic.Bool }

func (n *failing) file(f fs.FileHandle, name string) fs.FileHandle {
	if !strings.HasSuffix(name, ".blk") {
		return f
	}
	return &failingFile{f.(*fs.LoopbackFile), n.how}
}

func (n *failing) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, mode, errno := n.LoopbackNode.Open(ctx, flags)
	if errno != 0 {
		return f, mode, errno
	}
	return n.file(f, n.Path(nil)), mode, 0
}

func (n *failing) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, f, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != 0 {
		return inode, f, fuseFlags, errno
	}
	return inode, n.file(f, name), fuseFlags, 0
}

type failingFile struct {
	*fs.LoopbackFile
	how *trouble
}

func (f *failingFile) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	if f.how.write.Load() {
		return 0, syscall.EIO
	}
	return f.LoopbackFile.Write(ctx, data, off)
}

func (f *failingFile) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if f.how.sync.Load() {
		return syscall.EIO
	}
	return f.LoopbackFile.Fsync(ctx, flags)
}

func TestFailingDisk(t *testing.T) {
	for _, what := range []string{"write", "sync"} {
		t.Run(what, func(t *testing.T) {
			now := new(trouble)
			fail := map[string]*atomic.Bool{"write": &now.write, "sync": &now.sync}[what]
			under, disk := t.TempDir(), t.TempDir()
			root := &fs.LoopbackRoot{Path: under}
			root.RootNode = &failing{&fs.LoopbackNode{RootData: root}, now}
			if _, err := os.Stat("/dev/fuse"); err != nil {
				t.Skipf("skipped: %v", err)
			}
			server, err := fs.Mount(disk, root.RootNode, &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true}})
			if err != nil {
				t.Skipf("skipped: no file system can be mounted here: %v", err)
			}
			defer func() {
				if err := server.Unmount(); err != nil {
					t.Error(err)
				}
			}()
			c, m := conf(t, filepath.Join(disk, "store")), new(model)
			c.Aside = t.TempDir()
			s, err := embedded.OpenSized(t.Context(), c, small, part)
			if err != nil {
				t.Fatal(err)
			}
			for n := range uint64(5) {
				seq, data := add(t, s, n+1, 10_000)
				m.all = append(m.all, channel.Message{Seq: seq, Totals: channel.Totals{Events: n + 1, Bytes: (n + 1) * 10}, Data: data})
			}
			fail.Store(true)
			_, err = s.Append(t.Context(), batch(6, 500), channel.Totals{Events: 6, Bytes: 60})
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("got %v; want input/output error", err)
			}
			m.holds(t, s)
			within(t, "closing", s.Close)
			fail.Store(false)
			s = open(t, c)
			m.holds(t, s)
			n := uint64(len(m.all) + 1)
			seq, data := add(t, s, n, 100)
			m.all = append(m.all, channel.Message{Seq: seq, Totals: channel.Totals{Events: n, Bytes: n * 10}, Data: data})
			m.holds(t, s)
			closed(t, s)
		})
	}
}

// PassthroughFd keeps the kernel from writing to the file below by itself.
func (f *failingFile) PassthroughFd() (int, bool) { return 0, false }
