//go:build !linux

package hdfs

import "io"

// giveSign and dead need Linux's abstract sockets. Without them a client counts
// as gone when HDFS says so, after a minute.

func giveSign(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func dead(string) bool { return false }
