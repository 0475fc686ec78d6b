package syslogudp

import (
	"context"
	"net"
	"time"

	"github.com/rs/zerolog"
)

// watchDrops logs how many datagrams the system dropped, from time to time and
// at last when ctx is done, which is when no more are received.
func watchDrops(ctx context.Context, conn *net.UDPConn) {
	told := uint64(0)
	look := func() {
		if n, ok := drops(conn); ok && n > told {
			zerolog.Ctx(ctx).Warn().Uint64("dropped", n-told).Msg("The system dropped datagrams that came faster than they were committed. A larger net.core.rmem_max lets it keep more.")
			told = n
		}
	}
	tick := time.NewTicker(dropsTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			look()
		case <-ctx.Done():
			look()
			return
		}
	}
}
