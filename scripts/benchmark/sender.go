package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// sendAll sends n lines of the input over one connection as fast as the server
// takes them, and returns when an OK has come for each.
func (t *trial) sendAll(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(t.ctx, func() { conn.Close() })()
	lines, err := os.Open(t.input())
	if err != nil {
		return err
	}
	defer lines.Close()

	sent := make(chan error, 1)
	go func() {
		// The kernel copies from file to socket: the sender costs little.
		_, err := io.Copy(conn, io.LimitReader(lines, int64(t.n)*(bodySize+1)))
		sent <- err
	}()
	answered := readAnswers(conn, t.n)
	if answered != nil {
		conn.Close() // ends the sending
	}
	return errors.Join(answered, <-sent)
}

// readAnswers reads n times OK and a newline.
func readAnswers(r io.Reader, n int) error {
	buffer := make([]byte, 64<<10)
	for answers, bytesRead := 0, 0; answers < n; {
		size, err := r.Read(buffer)
		answers += bytes.Count(buffer[:size], []byte("\n"))
		bytesRead += size
		if i := bytes.IndexByte(buffer[:size], 'F'); i >= 0 || answers > n {
			return fmt.Errorf("after %d answers: %.80q", answers, buffer[max(i, 0):size])
		}
		if err != nil {
			return fmt.Errorf("after %d answers of %d: %w", answers, n, err)
		}
		if answers == n && bytesRead != n*len("OK\n") {
			return fmt.Errorf("%d answers in %d bytes are not all OK", answers, bytesRead)
		}
	}
	return nil
}

// sendInTurns has so many clients send a line, wait for its OK and send the
// next, for the trial's duration. It returns how many lines were sent, which is
// how many were answered by OK.
func (t *trial) sendInTurns(addr string, clients int) (int, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.duration)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex // guards what follows
	var sum int
	var errs []error
	for range clients {
		all.Go(func() {
			n, err := sendOneByOne(ctx, addr)
			mu.Lock()
			defer mu.Unlock()
			sum += n
			errs = append(errs, err)
		})
	}
	all.Wait()
	return sum, errors.Join(errs...)
}

// sendOneByOne is one such client, until ctx is done.
func sendOneByOne(ctx context.Context, addr string) (int, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	answers := bufio.NewReader(conn)
	text := append(line(nil, 0), '\n')
	n := 0
	for ; ctx.Err() == nil; n++ {
		if _, err := conn.Write(text); err != nil {
			return n, err
		}
		answer, err := answers.ReadSlice('\n')
		if err != nil {
			return n, fmt.Errorf("waiting for an answer: %w", err)
		}
		if string(answer) != "OK\n" {
			return n, fmt.Errorf("the answer to a line is %q", answer)
		}
	}
	return n, nil
}
