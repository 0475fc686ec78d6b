package main

import (
	"fmt"
	"time"
)

// clientsFile is clients that each wait for an answer before they send the next
// line: what group commit is for.
func clientsFile(clients int) flow {
	return flow{
		name:     fmt.Sprintf("clients-%d", clients),
		does:     fmt.Sprintf("fsrc netcat :0 | fchan file DIR | fsink null; %d clients send a line and wait for its OK", clients),
		duration: 2 * time.Second,
		measure: func(t *trial) error {
			addr, err := t.netcat(fileChannel, "fsink null --once")
			if err != nil {
				return err
			}
			begin := time.Now()
			sent, err := t.sendInTurns(addr, clients)
			if err != nil {
				return err
			}
			t.found.Events, t.found.Elapsed = sent, time.Since(begin)
			if err := t.interrupt(); err != nil {
				return err
			}
			if err := t.wait(); err != nil {
				return err
			}
			return t.deliveredAll(sent)
		},
	}
}
