package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

func syslogPipe() flow {
	return flow{
		name:       "syslogtcp-fileroll",
		does:       "fsrc syslogtcp :0 | fsink file_roll out, one connection",
		durability: inKernel,
		events:     2_000_000,
		measure:    func(t *trial) error { return t.syslogToFiles(fileRoll) },
		beside:     rsyslog(),
	}
}

func syslogMemory() flow {
	return flow{
		name:       "syslogtcp-memory-fileroll",
		does:       "fsrc syslogtcp :0 | fchan memory | fsink file_roll out, one connection",
		durability: inMemory,
		events:     2_000_000,
		measure:    func(t *trial) error { return t.syslogToFiles(memoryChannel, fileRoll) },
	}
}

func (t *trial) syslogToFiles(rest ...string) error {
	if err := t.writeMessages(); err != nil {
		return err
	}
	return t.toFiles("syslogtcp", t.sendSyslog, rest...)
}

// syslogHead stands before each line of the input to make it a message of RFC
// 3164, of which the line is the body.
const syslogHead = "<13>Oct 11 22:14:15 mymachine "

// sendSyslog sends n lines of the input as messages over one connection as fast
// as they are taken.
func (t *trial) sendSyslog(addr string) error {
	messages, err := os.Open(t.messages())
	if err != nil {
		return err
	}
	defer messages.Close()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(t.ctx, func() { conn.Close() })()
	_, err = io.Copy(conn, messages) // by the kernel, from file to socket
	return err
}

// messages is the file that sendSyslog sends.
func (t *trial) messages() string { return fmt.Sprintf("%s-syslog-%d", t.input(), t.n) }

// writeMessages writes that file if it is not there.
func (t *trial) writeMessages() error {
	if exists(t.messages()) {
		return nil
	}
	file, err := os.Create(t.messages())
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	var buffer []byte
	for i := range t.n {
		buffer = append(line(buffer[:0], i), '\n')
		if _, err := w.WriteString(syslogHead); err != nil {
			return err
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), file.Sync())
}

// rsyslog returns the same with rsyslog and a queue in its memory, nil if that
// is not installed.
func rsyslog() *reference {
	for _, path := range []string{"rsyslogd", "/usr/sbin/rsyslogd"} {
		if command, err := exec.LookPath(path); err == nil {
			return &reference{name: "rsyslogd, memory queue", bar: 1, measure: func(t *trial) error { return t.rsyslog(command) }}
		}
	}
	return nil
}

// rsyslogConfiguration wants an address's port and the file to write. The tag
// and the message, as rsyslog sees them, are a line of the input.
const rsyslogConfiguration = `module(load="imtcp")
template(name="body" type="string" string="%%syslogtag%%%%msg%%\n")
ruleset(name="toFile" queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="1000") {
	action(type="omfile" file="%[2]s" template="body" ioBufferSize="64k")
}
input(type="imtcp" address="127.0.0.1" port="%[1]s" ruleset="toFile")
`

func (t *trial) rsyslog(command string) error {
	if err := t.writeMessages(); err != nil {
		return err
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	configuration := fmt.Appendf(nil, rsyslogConfiguration, port(addr), filepath.Join(t.out, "all"))
	if err := os.WriteFile(filepath.Join(t.dir, "rsyslog.conf"), configuration, 0o644); err != nil {
		return err
	}
	if err := t.pipe(nil, command+" -n -f "+filepath.Join(t.dir, "rsyslog.conf")+" -i "+filepath.Join(t.dir, "pid")); err != nil {
		return err
	}
	if err := t.await("rsyslogd to listen", func() bool { return accepts(addr) }); err != nil {
		return err
	}
	if err := t.sendIntoFiles(addr, t.sendSyslog); err != nil {
		return err
	}
	if err := t.interrupt(); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	return checkLines(t.out, t.n)
}
