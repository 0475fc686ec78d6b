package syslogudp

import (
	"bufio"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// drops returns how many datagrams the system has dropped for want of room in
// conn's receive buffer, if it tells.
func drops(conn *net.UDPConn) (n uint64, ok bool) {
	inode, ok := inodeOf(conn)
	if !ok {
		return 0, false
	}
	for _, name := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		defer file.Close()
		// sl local rem st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if fields := strings.Fields(lines.Text()); len(fields) >= 13 && fields[9] == inode {
				n, err := strconv.ParseUint(fields[12], 10, 64)
				return n, err == nil
			}
		}
	}
	return 0, false
}

func inodeOf(conn *net.UDPConn) (string, bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return "", false
	}
	var stat syscall.Stat_t
	var statErr error
	if err := raw.Control(func(fd uintptr) { statErr = syscall.Fstat(int(fd), &stat) }); err != nil || statErr != nil {
		return "", false
	}
	return strconv.FormatUint(stat.Ino, 10), true
}
