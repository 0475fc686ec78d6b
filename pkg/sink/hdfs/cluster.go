package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"
)

// cluster is an HDFS.
type cluster struct {
	options hdfs.ClientOptions
	copies  int   // of each block; 0 as the name node has it
	block   int64 // size of a block; 0 as the name node has it
	bound   time.Duration

	mu      sync.Mutex
	current *member // nil until it is needed
}

// member is one of HDFS's clients. HDFS knows a client by its name, and believes
// that all its files are being written while it says that it lives. So when a
// file fails, no more are made by its member, and the others are to be ended
// soon; then it goes, and the lease of the failed file ends.
type member struct {
	*hdfs.Client
	owner *cluster

	retired bool // guarded by owner.mu
	files   int  // likewise

	dialing sync.Mutex // held while a file may connect to a data node
	dialed  *blockConn // by the holder
}

func newCluster(conf hadoopconf.HadoopConf, options hdfs.ClientOptions, bound time.Duration) *cluster {
	c := &cluster{options: options, bound: bound}
	c.copies, _ = strconv.Atoi(conf["dfs.replication"])
	c.block = sizeOf(conf["dfs.blocksize"])
	return c
}

// sizeOf reads a size as Hadoop does: a number, and a letter for its unit.
func sizeOf(text string) int64 {
	text = strings.ToLower(strings.TrimSpace(text))
	digits := strings.TrimRight(text, "kmgtpe")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(text)-len(digits) > 1 {
		return 0
	}
	if unit := text[len(digits):]; unit != "" {
		n <<= 10 * (1 + strings.Index("kmgtpe", unit))
	}
	return n
}

// member returns a client with one more file, or user.
func (c *cluster) member() (*member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		m := &member{owner: c}
		options := c.options
		var dialer net.Dialer
		options.NamenodeDialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := c.limit(ctx)
			defer cancel()
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &nodeConn{Conn: conn, bound: c.bound}, nil
		}
		options.DatanodeDialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := c.limit(ctx)
			defer cancel()
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			m.dialed = newBlockConn(conn)
			return m.dialed, nil
		}
		var err error
		if m.Client, err = hdfs.NewClient(options); err != nil {
			return nil, fmt.Errorf("connecting to HDFS at %s: %w", strings.Join(options.Addresses, ", "), err)
		}
		c.current = m
	}
	c.current.files++
	return c.current, nil
}

func (c *cluster) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.bound > 0 {
		return context.WithTimeout(ctx, c.bound)
	}
	return context.WithCancel(ctx)
}

// done takes a file off the member's; failed says that it holds a lease still.
func (m *member) done(failed bool) {
	c := m.owner
	c.mu.Lock()
	defer c.mu.Unlock()
	m.files--
	if failed {
		m.retired = true
		if c.current == m {
			c.current = nil
		}
	}
	if m.retired && m.files == 0 {
		_ = m.Client.Close()
	}
}

// use calls do with a client.
func (c *cluster) use(do func(*member) error) error {
	m, err := c.member()
	if err != nil {
		return err
	}
	defer m.done(false)
	return do(m)
}

func (c *cluster) create(ctx context.Context, name string) (file, error) {
	m, err := c.member()
	if err != nil {
		return nil, err
	}
	w, err := m.createFile(name, c.copies, c.block)
	if err != nil {
		m.done(false)
		return nil, err
	}
	return &blockFile{m: m, w: w, name: name}, ctx.Err()
}

func (m *member) createFile(name string, copies int, block int64) (*hdfs.FileWriter, error) {
	if copies == 0 || block == 0 {
		defaults, err := m.ServerDefaults()
		if err != nil {
			return nil, fmt.Errorf("asking for HDFS's defaults: %w", err)
		}
		if copies == 0 {
			copies = defaults.Replication
		}
		if block == 0 {
			block = defaults.BlockSize
		}
	}
	w, err := m.CreateFile(name, copies, block, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err := m.MkdirAll(path.Dir(name), 0o755); err != nil {
			return nil, err
		}
		w, err = m.CreateFile(name, copies, block, 0o644)
	}
	return w, err
}

func (c *cluster) rename(_ context.Context, from, to string) error {
	return c.use(func(m *member) error {
		if _, err := m.Stat(to); err == nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return m.Rename(from, to)
	})
}

func (c *cluster) remove(_ context.Context, name string) error {
	return c.use(func(m *member) error { return m.Remove(name) })
}

func (c *cluster) truncate(ctx context.Context, name string, size int64) error {
	return c.use(func(m *member) error {
		info, err := m.Stat(name)
		if err != nil || info.Size() <= size {
			return err
		}
		if _, err := m.Truncate(name, size); err != nil {
			return err
		}
		// The last block is cut by the data nodes, in their time.
		return completed(m, name)
	})
}

func (c *cluster) list(_ context.Context, dir string) ([]entry, error) {
	var entries []entry
	err := c.use(func(m *member) error {
		found, err := m.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, f := range found {
			entries = append(entries, entry{name: f.Name(), dir: f.IsDir(), size: f.Size()})
		}
		return err
	})
	return entries, err
}

func (c *cluster) release(_ context.Context, name string) error {
	return c.use(func(m *member) error { return completed(m, name) })
}

// completed returns nil for a file that nobody writes to. For one whose lease
// has expired it makes the name node complete it.
//
// HDFS's own call for that, recoverLease, is none of the client's. But
// truncate does the same first of all, and then refuses a size that the file
// has not: that it was refused says that the file is complete.
func completed(m *member, name string) error {
	_, err := m.Truncate(name, math.MaxInt64)
	var remote hdfs.Error
	switch {
	case err == nil, errors.Is(err, fs.ErrInvalid):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return err
	case errors.As(err, &remote):
		switch remote.Exception() {
		case "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException",
			"org.apache.hadoop.hdfs.protocol.RecoveryInProgressException":
			return fmt.Errorf("%s is %w: %w", name, errInUse, err)
		}
	}
	return err
}

// replicas returns how many copies of a block are to be made; 0 if the name
// node has not said yet.
func (c *cluster) replicas() int { return c.copies }

func (c *cluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return nil
	}
	m := c.current
	c.current = nil
	if m.retired = true; m.files > 0 {
		return nil // the last of them closes it
	}
	return m.Client.Close()
}

// blockFile is a file that is being written to HDFS.
type blockFile struct {
	m    *member
	w    *hdfs.FileWriter
	name string
	conn *blockConn // of the last block
	gone bool
}

func (f *blockFile) Write(p []byte) (int, error) {
	f.m.dialing.Lock()
	defer f.m.dialing.Unlock()
	f.m.dialed = nil
	if bound := f.m.owner.bound; bound > 0 {
		_ = f.w.SetDeadline(time.Now().Add(bound))
		defer f.w.SetDeadline(time.Time{})
	}
	n, err := f.w.Write(p)
	if f.m.dialed != nil {
		f.conn = f.m.dialed
	}
	return n, err
}

// sync does what hflush does: all data nodes of the last block have answered.
func (f *blockFile) sync(ctx context.Context) error {
	if f.conn == nil {
		return nil
	}
	if bound := f.m.owner.bound; bound > 0 {
		_ = f.w.SetDeadline(time.Now().Add(bound))
		defer f.w.SetDeadline(time.Time{})
	}
	if !f.conn.readable() {
		return f.reopen(ctx)
	}
	if err := f.w.Flush(); err != nil {
		return err
	}
	return f.conn.wait(ctx)
}

// reopen completes the file and opens it again: the one way to know that all is
// there when the connection is encrypted.
func (f *blockFile) reopen(ctx context.Context) error {
	if err := f.finish(ctx); err != nil {
		return err
	}
	w, err := f.m.Append(f.name)
	if err != nil {
		return err
	}
	f.w = w
	return nil
}

func (f *blockFile) close(ctx context.Context) error {
	if f.gone {
		return nil
	}
	if bound := f.m.owner.bound; bound > 0 {
		_ = f.w.SetDeadline(time.Now().Add(bound))
	}
	if err := f.finish(ctx); err != nil {
		return err
	}
	f.gone = true
	f.m.done(false)
	return nil
}

// finish completes the file, when the name node has heard of the last copies.
func (f *blockFile) finish(ctx context.Context) error {
	for {
		err := f.w.Close()
		if !hdfs.IsErrReplicating(err) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// abandon leaves the file to the name node, unless size is 0: then it is removed
// next, which ends its lease.
func (f *blockFile) abandon(size int64) {
	if f.gone {
		return
	}
	f.gone = true
	_ = f.w.SetDeadline(time.Now()) // it ends what is going on, and so does not complete the file
	_ = f.w.Close()
	f.m.done(size > 0)
}

func (f *blockFile) replicas() int {
	if f.conn == nil {
		return -1
	}
	return f.conn.have()
}

func (f *blockFile) stale() bool {
	f.m.owner.mu.Lock()
	retired := f.m.retired
	f.m.owner.mu.Unlock()
	return retired || f.conn != nil && f.conn.broken()
}
