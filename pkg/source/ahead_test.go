package source_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/source"
)

// answered is a Put whose commits wait for answers.
type answered struct {
	source.Put
	bodies  []string
	answers chan error
}

func (p *answered) Begin(b *event.Batch) source.Commit {
	for e := range b.All() {
		p.bodies = append(p.bodies, string(e.Body))
	}
	return p
}

func (p *answered) Wait() error { return <-p.answers }

func TestAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		put := &answered{answers: make(chan error)}
		ahead := source.NewAhead(put, 2)
		var committed []string
		sent := make(chan bool)
		go func() {
			b := ahead.Next()
			for _, body := range []string{"a", "b", "c", "d", "e"} {
				b.Append(event.Event{Body: []byte(body)})
				b = ahead.Send(b, func() error {
					committed = append(committed, body)
					return nil
				})
				sent <- true
			}
			close(sent)
		}()
		want := func(handedOver, done string) {
			t.Helper()
			synctest.Wait()
			if got := strings.Join(put.bodies, "") + " " + strings.Join(committed, ""); got != handedOver+" "+done {
				t.Fatalf("handed over and committed: %s; want %s %s", got, handedOver, done)
			}
		}
		<-sent
		want("ab", "") // it has sent b, and waits for a batch
		put.answers <- nil
		<-sent
		want("abc", "a")
		failure := errors.New("it never fits")
		put.answers <- failure
		<-ahead.Failed()
		<-sent
		put.answers <- nil // for c, which does not count: it comes after what failed
		for range sent {   // d and e
		}
		want("abc", "a")
		if err := ahead.Finish(); err != failure {
			t.Errorf("Finish: %v; want %v", err, failure)
		}
	})
}
