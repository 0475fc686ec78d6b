package agent

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
)

func TestRelayOfASinkGroup(t *testing.T) {
	for _, tt := range []struct{ stderr, want string }{
		{"fsink: error: sink k1: looking up hostname one: no such host",
			"error: sink k1: looking up hostname one: no such host|at: flume.conf:10: a1.sinks.k1.hostname"},
		{"fsink: error: sink k2: no luck", "error: sink k2: no luck|at: flume.conf:12: a1.sinks.k2.type"},
		{"fsink: error: no luck\nfsink: at: flume.conf:10: sinks.k1.hostname", "error: no luck|at: flume.conf:10: a1.sinks.k1.hostname"},
		{"fsink: error: no luck", "error: no luck|at: flume.conf:17: a1.sinkgroups.g1.processor.type"},
	} {
		var logs bytes.Buffer
		group := NewPlan(parseAgent(t, grouped), "/run/x", traits).Processes[2].Component
		r := &relay{program: "fsink", component: group, logs: &logs, log: zerolog.New(&logs)}
		if _, err := r.Write([]byte(tt.stderr + "\n")); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(fault.Lines(r.failure()), "|"); got != tt.want {
			t.Errorf("got %q; want %q", got, tt.want)
		}
	}
}

func TestRelay(t *testing.T) {
	conf := `a1.sources = r1
a1.channels = c1
a1.channels.c1.type = memory
a1.sources.r1.type = netcat
a1.sources.r1.bind = localhost
a1.sources.r1.port = 44444
a1.sources.r1.channels = c1
`
	tests := []struct{ name, stderr, failure, logs string }{
		{"log lines are passed on as they are",
			`{"level":"info","logger":"source.NetcatSource","message":"Source starting"}`, "",
			`{"level":"info","logger":"source.NetcatSource","message":"Source starting"}`},
		{"other lines are the message of one",
			"panic: oh", "",
			`{"level":"warn","name":"r1","message":"panic: oh"}`},
		{"the last error is kept, with its own place in full",
			"fsrc: error: port is 70000\nfsrc: at: flume.conf:6: port\nfsrc: hint: choose another\n",
			"error: port is 70000|at: flume.conf:6: a1.sources.r1.port|hint: choose another", ""},
		{"an error without a place is at the property that it speaks of",
			"fsrc: error: listening on bind localhost, port 44444: bind: in use",
			"error: listening on bind localhost, port 44444: bind: in use|at: flume.conf:6: a1.sources.r1.port", ""},
		{"with its value or without",
			"fsrc: error: looking up bind: no such host",
			"error: looking up bind: no such host|at: flume.conf:5: a1.sources.r1.bind", ""},
		{"or else at the type",
			"fsrc: error: no luck",
			"error: no luck|at: flume.conf:4: a1.sources.r1.type", ""},
		{"it may come as a log line",
			`{"level":"error","logger":"fsrc","at":"flume.conf:6: port","hint":"do","message":"no luck"}`,
			"error: no luck|at: flume.conf:6: a1.sources.r1.port|hint: do", ""},
		{"or be several",
			"fsrc: error: one\nfsrc: at: here\nfsrc: error: two\nfsrc: at: there\n",
			"error: one|at: here|error: two|at: there", ""},
		{"a hint of nothing is a line like others",
			"fsrc: hint: drink water", "",
			`{"level":"warn","name":"r1","message":"fsrc: hint: drink water"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var logs bytes.Buffer
			r := &relay{program: "fsrc", component: parseAgent(t, conf).Sources[0], logs: &logs, log: zerolog.New(&logs)}
			if _, err := r.Write([]byte(strings.TrimSuffix(tt.stderr, "\n") + "\n")); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(fault.Lines(r.failure()), "|"); got != tt.failure {
				t.Errorf("failure: got %q; want %q", got, tt.failure)
			}
			if got := strings.TrimSuffix(logs.String(), "\n"); got != tt.logs {
				t.Errorf("logs: got %s; want %s", got, tt.logs)
			}
			if err := r.failure(); err != nil {
				t.Errorf("the failure is told twice: %v", err)
			}
		})
	}
}
