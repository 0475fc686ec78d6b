package main

import (
	"slices"
	"time"
)

// settling is how long processes are left alone before their memory is looked at.
const settling = time.Second

func idle() flow {
	return flow{
		name:    "idle",
		does:    "resident memory of each command a second after its first event",
		observe: observeIdle,
	}
}

func observeIdle(t *trial) ([]observation, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	var all []observation
	for _, start := range []func() (string, error){
		func() (string, error) { return t.netcat("fchan memory", "fsink logger") },
		func() (string, error) { return t.netcat("fchan file store", "fsink logger") },
		func() (string, error) { return addr, t.agent(exampleConfiguration, addr) },
	} {
		events, err := t.startAndSend(start)
		if err != nil {
			return nil, err
		}
		time.Sleep(settling)
		for _, p := range t.procs {
			what := p.label + ", idle"
			if !slices.ContainsFunc(all, func(o observation) bool { return o.What == what }) {
				all = append(all, observation{What: what, Unit: "MB", Bar: 30,
					Value: float64(status(p.cmd.Process.Pid, "VmRSS")) / 1e6})
			}
		}
		err = t.interrupt()
		if err == nil {
			err = t.wait()
		}
		events.Close()
		if err != nil {
			return nil, err
		}
		t.procs = nil
	}
	return all, nil
}
