package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"time"
)

// window is how many lines are sent before the first of them is answered.
const window = 200

// send is a writer too: it sends lines to a netcat source, one connection after
// another, until it is told to end and all is acknowledged.
func send(ctx context.Context, l life) error {
	noted, err := openNotes(l.dir, l.name)
	if err != nil {
		return err
	}
	bodies := newBodies(l.seed, true)
	for connection := 0; ; connection++ {
		err := sendLines(ctx, l, 1000*l.number+connection%1000, noted, bodies)
		if err == nil {
			return nil
		}
		fmt.Fprintln(os.Stderr, l.name, "connection", connection, "ended:", err)
		time.Sleep(20 * time.Millisecond) // until somebody listens again
	}
}

// sendLines uses one connection. It returns nil when all is acknowledged and it was
// told to end.
func sendLines(ctx context.Context, l life, number int, noted *notes, bodies *bodies) error {
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		return err
	}
	room, answered := make(chan struct{}, window), make(chan error, 1)
	defer func() {
		conn.Close()
		for range answered { // notes belong to the next connection then
		}
	}()
	begin := noted.acked
	go func() {
		answered <- readAnswers(conn, begin, room, noted)
		close(answered)
	}()
	for n := begin + 1; ; n++ {
		if (l.finish || ctx.Err() != nil) && n > noted.sent {
			break
		}
		select {
		case room <- struct{}{}:
		case err := <-answered:
			return err
		}
		if n > noted.sent && n%50 == 1 { // a line for each would be most of the work
			if err := noted.note("sent", n+49); err != nil {
				return err
			}
			noted.sent = n + 49
		}
		line := append(origin{l.name, number, n}.line(bodies.body(l.name, n)), '\n')
		if _, err := conn.Write(line); err != nil {
			return err
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	if err := <-answered; err != nil {
		return err
	}
	if len(room) > 0 {
		return fmt.Errorf("%d lines were not answered", len(room))
	}
	return nil
}

// readAnswers notes what is acknowledged, until the connection ends.
func readAnswers(conn net.Conn, acked int, room <-chan struct{}, noted *notes) error {
	for answers := bufio.NewScanner(conn); answers.Scan(); {
		if answers.Text() != "OK" {
			return fmt.Errorf("line %d was answered with %q", acked+1, answers.Text())
		}
		acked++
		if err := noted.note("acked", acked); err != nil {
			return err
		}
		noted.acked = acked
		<-room
	}
	return nil
}
