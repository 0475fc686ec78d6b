package nonblock

import (
	"sync"
	"syscall"
)

// end is one direction of a descriptor. What a transfer is about is kept in it, so
// that a transfer allocates nothing.
type end struct {
	mu      sync.Mutex
	wait    func(attempt func(fd uintptr) (done bool)) error // has it made whenever the descriptor is ready, until it is done
	attempt func(fd uintptr) (done bool)

	head, body []byte // what is left of them
	n          int    // bytes transferred
	err        error
}

// newReading returns the end that is read from. It reads once.
func newReading(raw syscall.RawConn) *end {
	e := &end{wait: raw.Read}
	e.attempt = func(fd uintptr) bool {
		n, err := again(func() (int, error) { return read(fd, e.head) })
		if err == syscall.EAGAIN {
			return false
		}
		e.n, e.err = max(n, 0), err
		return true
	}
	return e
}

// newWriting returns the end that is written to. It writes all.
func newWriting(raw syscall.RawConn) *end {
	e := &end{wait: raw.Write}
	e.attempt = func(fd uintptr) bool {
		for len(e.head)+len(e.body) > 0 {
			n, err := again(func() (int, error) { return write(fd, e.head, e.body) })
			if err == syscall.EAGAIN {
				return false
			}
			if err != nil {
				e.err = err
				break
			}
			e.n += n
			ofHead := min(n, len(e.head))
			e.head, e.body = e.head[ofHead:], e.body[n-ofHead:]
		}
		return true
	}
	return e
}

// again makes a call until it is not interrupted by a signal.
func again(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != syscall.EINTR {
			return n, err
		}
	}
}

// transfer reads into head, or writes head and body, and returns how many bytes.
func (e *end) transfer(head, body []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.head, e.body, e.n, e.err = head, body, 0, nil
	err := e.wait(e.attempt)
	e.head, e.body = nil, nil // not to keep them alive
	if err == nil {
		err = e.err
	}
	return e.n, err
}
