package hdfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	leases  leases

	mu     sync.Mutex
	client *hdfs.Client // nil until it is needed
	sign   io.Closer    // of life, of the client

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

// connect returns the client, which connects to a name node if it has not yet.
func (c *cluster) connect() (*hdfs.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	options := c.options
	options.NamenodeDialFunc = c.dialNameNode
	options.DatanodeDialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := c.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.dialed = newBlockConn(conn)
		return c.dialed, nil
	}
	client, err := hdfs.NewClient(options)
	if err != nil {
		return nil, fmt.Errorf("connecting to HDFS at %s: %w", strings.Join(options.Addresses, ", "), err)
	}
	if c.sign, err = giveSign(client.Name()); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	c.client = client
	return client, nil
}

func (c *cluster) dialNameNode(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	node := &nodeConn{Conn: conn, bound: c.bound}
	if c.proxyUser() != "" {
		return c.newProxyConn(node, addr), nil
	}
	return node, nil
}

func (c *cluster) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, network, addr)
}

func (c *cluster) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.bound > 0 {
		return context.WithTimeout(ctx, c.bound)
	}
	return context.WithCancel(ctx)
}

// use calls do with the client.
func (c *cluster) use(do func(*hdfs.Client) error) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	if err = do(client); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w for user %s", err, cmp.Or(c.proxyUser(), client.User()))
	}
	return spelled(err)
}

// spelled adds to an error of a name node's what that says beside its class.
func spelled(err error) error {
	var remote hdfs.Error
	if !errors.As(err, &remote) {
		return err
	}
	line, _, _ := strings.Cut(remote.Message(), "\n")
	return fmt.Errorf("%w: %s", err, line)
}

func (c *cluster) create(ctx context.Context, name string) (file, error) {
	var f *blockFile
	err := c.use(func(client *hdfs.Client) error {
		w, err := c.createFile(client, name)
		f = &blockFile{c: c, client: client, w: w, name: name}
		return err
	})
	var broken *net.OpError
	switch {
	case err == nil:
		return f, ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &broken):
		err = fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return nil, err
}

func (c *cluster) reopen(_ context.Context, name string) (file, int64, error) {
	f := &blockFile{c: c, name: name}
	var size int64
	err := c.use(func(client *hdfs.Client) error {
		if err := completed(client, name); err != nil {
			return err
		}
		info, err := client.Stat(name)
		if err != nil {
			return err
		}
		size, f.client = info.Size(), client
		f.w, err = client.Append(name)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return f, size, nil
}

func (c *cluster) createFile(client *hdfs.Client, name string) (*hdfs.FileWriter, error) {
	copies, block := c.copies, c.block
	if copies == 0 || block == 0 {
		defaults, err := client.ServerDefaults()
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
	w, err := client.CreateFile(name, copies, block, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err := client.MkdirAll(path.Dir(name), 0o755); err != nil {
			return nil, err
		}
		w, err = client.CreateFile(name, copies, block, 0o644)
	}
	return w, err
}

func (c *cluster) rename(_ context.Context, from, to string) error {
	return c.use(func(m *hdfs.Client) error {
		if _, err := m.Stat(to); err == nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return m.Rename(from, to)
	})
}

func (c *cluster) remove(_ context.Context, name string) error {
	return c.use(func(m *hdfs.Client) error { return m.Remove(name) })
}

func (c *cluster) truncate(ctx context.Context, name string, size int64) error {
	return c.use(func(m *hdfs.Client) error {
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
	err := c.use(func(m *hdfs.Client) error {
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

// replicas returns how many copies of a block are to be made; 0 if the name
// node has not said yet.
func (c *cluster) replicas() int { return c.copies }

func (c *cluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.options.KerberosClient != nil {
		defer c.options.KerberosClient.Destroy()
	}
	if c.client == nil {
		return nil
	}
	return errors.Join(c.client.Close(), c.sign.Close())
}

// blockFile is a file that is being written to HDFS.
type blockFile struct {
	c      *cluster
	client *hdfs.Client
	w      *hdfs.FileWriter
	name   string
	conn   *blockConn // of the last block
	gone   bool
	lost   error // why it can only be given up
}

func (f *blockFile) Write(p []byte) (int, error) {
	f.c.dialing.Lock()
	defer f.c.dialing.Unlock()
	f.c.dialed = nil
	if bound := f.c.bound; bound > 0 {
		_ = f.w.SetDeadline(time.Now().Add(bound))
		defer f.w.SetDeadline(time.Time{})
	}
	n, err := f.w.Write(p)
	if f.c.dialed != nil {
		f.conn = f.c.dialed
	}
	return n, spelled(err)
}

// sync does what hflush does: all data nodes of the last block have answered.
func (f *blockFile) sync(ctx context.Context) error {
	if f.conn == nil {
		return nil
	}
	if bound := f.c.bound; bound > 0 {
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
	w, err := f.client.Append(f.name)
	if err != nil {
		return err
	}
	f.w = w
	return nil
}

func (f *blockFile) close(ctx context.Context) error {
	if f.gone || f.lost != nil {
		return f.lost
	}
	if bound := f.c.bound; bound > 0 {
		_ = f.w.SetDeadline(time.Now().Add(bound))
	}
	if err := f.finish(ctx); err != nil {
		return err
	}
	f.gone = true
	return nil
}

// finish completes the file, when the name node has heard of the last copies.
//
// A second try after the data nodes could not take the last block would have
// the name node wait for ever for a block of that length. It may do so as well
// when it has taken over from one that died with the word of the copies. Then
// the file can only be given up: that has the data nodes speak again.
func (f *blockFile) finish(ctx context.Context) error {
	for {
		err := f.w.Close()
		var atNameNode *os.PathError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &atNameNode):
			f.lost = fmt.Errorf("%w: %w", errSpoiled, spelled(err))
			return f.lost
		case !hdfs.IsErrReplicating(err):
			if completed(f.client, f.name) == nil {
				return nil // by a call whose answer was lost
			}
			return spelled(err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			f.lost = fmt.Errorf("%w: %w", errSpoiled, err)
			return f.lost
		}
	}
}

// abandon leaves the file to the name node.
func (f *blockFile) abandon(int64) {
	if f.gone {
		return
	}
	f.gone = true
	if f.conn == nil {
		return
	}
	// The deadline ends what is going on, so that Close does not complete the
	// file. It would if it had nothing to send: that has no need of Close.
	if f.conn.writing() {
		_ = f.w.SetDeadline(time.Now())
		_ = f.w.Close()
	}
	_ = f.conn.Close()
}

func (f *blockFile) replicas() int {
	if f.conn == nil {
		return -1
	}
	return f.conn.have()
}

func (f *blockFile) stale() bool { return f.conn != nil && f.conn.broken() }
