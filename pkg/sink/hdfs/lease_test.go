package hdfs

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// refusal is a name node's answer about a file that is being written to.
type refusal string

func (refusal) Method() string    { return "truncate" }
func (refusal) Desc() string      { return "ERROR_APPLICATION" }
func (refusal) Exception() string { return alreadyBeingCreated }
func (r refusal) Message() string { return string(r) }
func (r refusal) Error() string   { return string(r) }

// ownedBy and overdue are what Hadoop 3.3 says.
func ownedBy(holder, host string) refusal {
	return refusal(fmt.Sprintf("Failed to TRUNCATE_FILE /x for go-hdfs-me on 10.0.0.1 because this file lease is currently owned by %s on %s\n\tat org…", holder, host))
}

const overdue = refusal("Failed to TRUNCATE_FILE /x for go-hdfs-me on 10.0.0.1 because lease recovery is in progress. Try again later.\n\tat org…")

// When the writing of a file is ended for another process, or for this one.
func TestDue(t *testing.T) {
	sign, err := giveSign("go-hdfs-alive")
	if err != nil {
		t.Fatal(err)
	}
	defer sign.Close()
	type look struct {
		after time.Duration
		file  string
		own   bool
		says  refusal
	}
	const other = "10.0.0.2"
	for _, tt := range []struct {
		name  string
		looks []look
		want  []bool
	}{
		{"a client that lives, on another host", []look{{0, "a", false, ownedBy("go-hdfs-x", other)}, {time.Hour, "a", false, ownedBy("go-hdfs-x", other)}}, []bool{false, false}},
		{"one that lives, on this host", []look{{0, "a", false, ownedBy("go-hdfs-alive", "10.0.0.1")}}, []bool{false}},
		{"one of this host that is gone", []look{{0, "a", false, ownedBy("go-hdfs-gone", "10.0.0.1")}, {0, "b", false, ownedBy("go-hdfs-gone", "10.0.0.1")}}, []bool{true, true}},
		{"another program of this host", []look{{0, "a", false, ownedBy("DFSClient_NONMAPREDUCE_1", "10.0.0.1")}}, []bool{false}},
		{"a silent client, whose other files follow", []look{
			{0, "a", false, ownedBy("go-hdfs-x", other)}, {0, "b", false, ownedBy("go-hdfs-x", other)}, {0, "c", false, ownedBy("go-hdfs-y", other)},
			{time.Minute, "a", false, overdue}, {0, "b", false, ownedBy("go-hdfs-x", other)}, {0, "c", false, ownedBy("go-hdfs-y", other)},
		}, []bool{false, false, false, false, true, false}},
		{"this process gave it up", []look{{0, "a", true, ownedBy("go-hdfs-alive", "10.0.0.1")}}, []bool{true}},
		{"not again at once", []look{
			{0, "a", true, ownedBy("go-hdfs-me", "10.0.0.1")}, {recoverAgain - time.Second, "a", true, ownedBy("go-hdfs-me", "10.0.0.1")}, {time.Second, "a", true, ownedBy("go-hdfs-me", "10.0.0.1")},
		}, []bool{true, false, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l leases
				var got []bool
				for _, look := range tt.looks {
					time.Sleep(look.after)
					got = append(got, l.due(look.file, look.own, look.says))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %v; want %v", got, tt.want)
				}
			})
		})
	}
}
