package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/twmb/franz-go/pkg/kfake"
)

// TestPutAndTakeElsewhere puts into and takes out of channels that are not on
// this host.
func TestPutAndTakeElsewhere(t *testing.T) {
	nats, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	defer nats.WaitForShutdown()
	defer nats.Shutdown()
	if !nats.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	lines := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(lines, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{nats.ClientURL() + "/EVENTS", fmt.Sprintf("kafka:%s/events", kafka.ListenAddrs()[0])} {
		in, err := os.Open(lines)
		if err != nil {
			t.Fatal(err)
		}
		put := command(t, "fchan", "put", addr)
		put.Stdin = in
		err = put.Run()
		in.Close()
		if err != nil {
			t.Errorf("put %s: %v", addr, err)
			continue
		}
		got, _, status := output(t, "fchan", "take", addr, "--once", "--format", "json")
		if n := strings.Count(got, "\n"); status != 0 || n != 3 || !strings.Contains(got, `"body":"three"`) {
			t.Errorf("take %s: status %d, %s", addr, status, got)
		}
		if _, said, status := output(t, "fchan", "take", addr, "--since", "10m"); status != 2 || !strings.Contains(said, "hands out nothing again") {
			t.Errorf("take %s --since: status %d, %s", addr, status, said)
		}
	}
}
