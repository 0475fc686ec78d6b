// Command telnet sends its arguments to a TCP server as telnet sends lines, each
// ended by CR LF, and prints the server's reply to each:
//
//	go run ./scripts/telnet localhost:44444 Scala Haskell
//
// The demo uses it, since a fresh machine need not have a telnet.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: telnet HOST:PORT LINE…")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "telnet: error:", err)
		os.Exit(1)
	}
}

func run(addr string, lines []string) error {
	conn, err := connect(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	replies := bufio.NewReader(conn)
	for _, line := range lines {
		fmt.Printf("> %s\n", line)
		if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
			return err
		}
		reply, err := replies.ReadString('\n')
		if err != nil {
			return err
		}
		fmt.Print(reply)
	}
	return nil
}

// connect waits some seconds for the server to listen.
func connect(addr string) (net.Conn, error) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil || time.Now().After(deadline) {
			return conn, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
