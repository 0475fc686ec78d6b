package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/nonblock"
)

// Serve accepts connections until ctx is done, at most most at a time, and
// calls serve for each in a goroutine of its own; serve closes the connection
// at its end, and ends when ctx is done. A client that there is no place for is
// given to turnAway, unless that is nil, which may tell it so and must not take
// long: others wait. Serve closes the listener and returns when all connections
// have been served. What goes wrong is logged to the logger of ctx.
func Serve(ctx context.Context, listener net.Listener, most int, serve func(context.Context, net.Conn), turnAway func(net.Conn)) error {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()

	log := zerolog.Ctx(ctx)
	places := make(chan struct{}, most)
	for pause := time.Duration(0); ; {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting connections: %w", err)
		case err != nil: // out of descriptors, most likely: those in use come back
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			log.Warn().Err(err).Dur("pause", pause).Msg("cannot accept a connection")
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			continue
		}
		pause = 0
		select {
		case places <- struct{}{}:
			clients.Go(func() {
				defer func() { <-places }()
				serve(ctx, nonblock.NewConn(conn))
			})
		default:
			if turnAway != nil {
				turnAway(conn)
			}
			conn.Close()
			log.Warn().Stringer("client", conn.RemoteAddr()).Msgf("turned a client away: max-connections is %d", most)
		}
	}
}
