package hdfs

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/encoding/protowire"
)

// A file that is written to has a lease: the name of its client, who says once a
// second that it lives. A minute after the last word of that client anyone who
// asks for one of its files ends the writing of that; but HDFS then lets another
// minute pass for the next file of the same client. A hundred files would take
// hours. So once one of them shows that their client is gone, or that is known
// from elsewhere, the writing of the others is ended without asking.

// recoverAgain is the time between two recoveries of one file. The first may have
// gone to a data node that died; but each begins anew, where HDFS does not prevent
// that.
const recoverAgain = 30 * time.Second

// leases is what is known of the clients that files are being written by.
type leases struct {
	mu        sync.Mutex
	holders   map[string]string    // of files, by their paths
	gone      map[string]bool      // clients
	recovered map[string]time.Time // paths
}

// release completes a file whose writer is gone: own says that this process was
// that, and otherwise HDFS is asked. The error until it is complete wraps
// errInUse.
func (c *cluster) release(_ context.Context, name string, own bool) error {
	return c.use(func(client *hdfs.Client) error {
		err := completed(client, name)
		if !errors.Is(err, errInUse) {
			c.leases.forget(name)
			return err
		}
		if c.leases.due(name, own, err) {
			if err := c.recoverLease(name); err != nil {
				return err
			}
			err = completed(client, name)
		}
		return err
	})
}

// completed returns nil for a file that nobody writes to.
//
// HDFS has no call that asks for no more than that. But before a file is
// truncated it must be complete; then a size is refused that it has not.
func completed(client *hdfs.Client, name string) error {
	_, err := client.Truncate(name, math.MaxInt64)
	var remote hdfs.Error
	switch {
	case err == nil, errors.Is(err, fs.ErrInvalid):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return err
	case errors.As(err, &remote):
		switch remote.Exception() {
		case alreadyBeingCreated, recoveryInProgress:
			return fmt.Errorf("%s is %w: %w", name, errInUse, err)
		}
	}
	return err
}

const (
	alreadyBeingCreated = "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException"
	recoveryInProgress  = "org.apache.hadoop.hdfs.protocol.RecoveryInProgressException"
)

// owned is what a name node says of a file that is being written to: the host
// that asks, the client that has the file, and the host of that.
var owned = regexp.MustCompile(` on (\S+) because this file lease is currently owned by (\S+) on (\S+)`)

// expired is what it says when the client has been silent for too long.
const expired = "because lease recovery is in progress"

// due reports whether the writing of a file is to be ended now, which the name
// node has refused for now with err. If that is wrong, because two hosts have one
// address, the other client loses its file and begins another; nothing that was
// delivered is lost.
func (l *leases) due(name string, own bool, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holders == nil {
		l.holders, l.gone, l.recovered = map[string]string{}, map[string]bool{}, map[string]time.Time{}
	}
	var remote hdfs.Error
	if !errors.As(err, &remote) {
		return false
	}
	if m := owned.FindStringSubmatch(remote.Message()); m != nil {
		holder := m[2]
		l.holders[name] = holder
		if m[1] == m[3] && dead(holder) {
			l.gone[holder] = true
		}
	} else if strings.Contains(remote.Message(), expired) {
		l.gone[l.holders[name]] = true
		l.recovered[name] = time.Now()
	}
	holder, known := l.holders[name]
	if !own && !(known && l.gone[holder]) {
		return false
	}
	if last, ok := l.recovered[name]; ok && time.Since(last) < recoverAgain {
		return false
	}
	l.recovered[name] = time.Now()
	return true
}

func (l *leases) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.holders, name)
	delete(l.recovered, name)
}

// recoverLease has the name node end the writing of a file, whoever writes it.
// All name nodes are asked; those on standby refuse.
func (c *cluster) recoverLease(name string) error {
	var errs []error
	for _, address := range c.options.Addresses {
		if err := c.askForRecovery(address, name); err != nil {
			errs = append(errs, fmt.Errorf("asking %s to end the writing of %s: %w", address, name, err))
		}
	}
	if len(errs) < len(c.options.Addresses) {
		return nil
	}
	return errors.Join(errs...)
}

// askForRecovery makes a call that HDFS's client does not have, over a connection
// that it has made: it can log in to Kerberos. What the answer says is of no
// interest, and it may be encrypted; whether the file is complete is asked again.
func (c *cluster) askForRecovery(address, name string) error {
	var conn net.Conn
	options := c.options
	options.Addresses = []string{address}
	options.NamenodeDialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var err error
		if conn, err = c.dialNameNode(ctx, network, addr); err != nil {
			return nil, err
		}
		return unclosed{conn}, nil
	}
	client, err := hdfs.NewClient(options)
	if conn != nil {
		defer conn.Close()
	}
	if err != nil {
		return err
	}
	if err := client.Close(); err != nil {
		return err
	}
	if _, err := conn.Write(recoverLeaseCall(name, client.Name())); err != nil {
		return err
	}
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(length[:])))
	return err
}

// unclosed is a connection that a client leaves open.
type unclosed struct{ net.Conn }

func (unclosed) Close() error { return nil }

// recoverLeaseCall is a call of ClientProtocol.recoverLease: its length, and
// three messages with theirs. The file's lease goes to holder.
func recoverLeaseCall(path, holder string) []byte {
	text := func(b []byte, field protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
	}
	number := func(b []byte, field protowire.Number, n uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
	}
	head := number(nil, 1, 2) // a call of protocol buffers
	head = number(head, 2, 0) // whole
	head = number(head, 3, 0) // the first of
	head = text(head, 4, rand.Text()[:16])
	method := text(nil, 1, "recoverLease")
	method = text(method, 2, "org.apache.hadoop.hdfs.protocol.ClientProtocol")
	method = number(method, 3, 1)
	arguments := text(text(nil, 1, path), 2, holder)

	call := make([]byte, 4)
	for _, message := range [][]byte{head, method, arguments} {
		call = protowire.AppendBytes(call, message)
	}
	binary.BigEndian.PutUint32(call, uint32(len(call)-4))
	return call
}
