package hdfs

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// After an answer that did not come, calls fail for that reason, and not because
// the connection is closed.
func TestSilentNameNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		c := &nodeConn{Conn: here, bound: 3 * time.Second}
		_, read := c.Read(make([]byte, 1))
		_, write := c.Write([]byte("call"))
		for _, err := range []error{read, write} {
			if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 3000 ms") {
				t.Errorf("got %v; want it to say that no answer came", err)
			}
		}
	})
}
