package main

import "time"

// bodySize is the size of an event's body in bytes; a line has its newline
// besides.
const bodySize = 200

// flow is one way through the commands.
type flow struct {
	name       string
	does       string             // as a shell would write it
	durability string             // what an acknowledgement stands for
	events     int                // in full mode; half of them in quick mode
	duration   time.Duration      // in place of events; half of it too
	measure    func(*trial) error // nil for flows that only observe
	observe    func(*trial) ([]observation, error)
	beside     *reference
	hdfs       bool // it needs an HDFS
}

// reference is what a flow is compared with, measured in turn with it.
type reference struct {
	name    string
	bar     float64 // what the flow's rate must be, as a multiple of its
	perCPU  float64 // the same of events per CPU second; 0 if they are not compared
	flume   bool    // it is Flume
	measure func(*trial) error
}

// flows returns all there are, in the table's order.
func flows() []flow {
	all := []flow{
		stdinNull(),
		netcatPipe(),
		netcatMemory(),
		netcatAgent(),
		syslogPipe(),
		syslogMemory(),
	}
	for _, batch := range []int{100, 1000} {
		all = append(all, avroAvro(batch))
	}
	for _, batch := range []int{100, 1000} {
		all = append(all, stdinMemory(batch))
	}
	for _, batch := range []int{100, 1000} {
		all = append(all, stdinFile(batch))
	}
	for _, clients := range []int{1, 10, 100} {
		all = append(all, clientsFile(clients))
	}
	all = append(all, drain(), agentStart(), backlogStart(), idle())
	for _, batch := range []int{100, 1000} {
		all = append(all, avroAgents(batch))
	}
	for _, real := range []bool{false, true} {
		for _, fileType := range []string{"DataStream", "SequenceFile"} {
			all = append(all, fileHDFS(fileType, real))
		}
	}
	return all
}

// What an acknowledgement stands for in the flows. A file channel says itself
// which policy is in force.
const (
	inSink   = "taken by the sink"
	inKernel = "in the kernel"
	inMemory = "none: memory"
)
