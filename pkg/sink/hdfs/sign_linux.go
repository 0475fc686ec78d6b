package hdfs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// giveSign lets other processes of this host see, by its name, that a client of
// HDFS lives. The kernel takes the sign away when the process ends, however that
// comes.
func giveSign(client string) (io.Closer, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: signName(client)})
	if err != nil {
		return nil, fmt.Errorf("giving a sign of life: %w", err)
	}
	return conn, nil
}

func signName(client string) string { return "@flumekit-" + client }

// dead reports whether a client that was on this host is sure to be gone.
func dead(client string) bool {
	if !strings.HasPrefix(client, "go-hdfs-") {
		return false // it is none of ours, and gives no sign
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: signName(client)})
	if errors.Is(err, syscall.EADDRINUSE) {
		return false
	}
	if err == nil {
		conn.Close()
	}
	return err == nil
}
