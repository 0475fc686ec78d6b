package pseudotxnmemory_test

import (
	"errors"
	"testing"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/pseudotxnmemory"
	"github.com/flumekit/flumekit/pkg/event"
)

func TestCapacityIsThatOfATransactionToo(t *testing.T) {
	o := pseudotxnmemory.Options{Capacity: 50}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b event.Batch
	for range 50 {
		b.Append(event.Event{Body: []byte("x")})
	}
	done := make(chan error, 1)
	c.Putter().Put(&b, false, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Error(err)
	}
	var one event.Batch
	one.Append(event.Event{Body: []byte("y")})
	c.Putter().Put(&one, false, func(err error) { done <- err })
	if err := <-done; !errors.Is(err, channel.ErrFull) {
		t.Errorf("the 51st event: got %v; want %v", err, channel.ErrFull)
	}
	if got := c.Bounds().MaxEvents; got != 50 {
		t.Errorf("it takes %d events at once; want 50", got)
	}
}
