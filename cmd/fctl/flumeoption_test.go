package main

import (
	"strings"
	"testing"
)

func TestFromFlume(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-n a1 -f x", "--name=a1 --conf-file=x"},
		{"-na1 -fx", "--name=a1 --conf-file=x"},
		{"-n=a1 -f=x", "--name=a1 --conf-file=x"},
		{"--name a1 --conf-file x", "--name=a1 --conf-file=x"},
		{"--name=a1 --conf-file=x", "--name=a1 --conf-file=x"},
		{"-name a1 -conf-file=x", "--name=a1 --conf-file=x"},
		{"--nam a1 --conf-f x --no-rel", "--name=a1 --conf-file=x --no-reload-conf"},
		{"-n a1 -n a2 -f x -f y", "--name=a1 --conf-file=x --conf-file=y"},
		{"-n -1 -f -", "--name=-1 --conf-file=-"},
		{"-n -f x", "error: Missing argument for option: n"},
		{"-c conf --conf other", "--conf=conf"},
		{"-Dflume.root.logger=INFO,console -Xmx1g -agentlib:jdwp", "--ignored=-Dflume.root.logger=INFO,console --ignored=-Xmx1g --ignored=-agentlib:jdwp"},
		{"-C a.jar -i 30", "--ignored=--classpath --ignored=--poll-interval"},
		{"-h", "--help"},
		{"--grace 5 --log-format=json", "--grace 5 --log-format=json"},
		{"-- -n a1", "-- -n a1"},
		{"-q", "-q"},
		{"-u x", "error: -u: --conf-uri is not supported"},
		{"-d", "error: -d: --dryrun is not supported"},
		{"-zhost:2181", "error: -zhost:2181: --zkConnString is not supported"},
		{"-prov x", "error: -prov: --conf-provider is not supported"},
		{"--con x", "error: Ambiguous option: '--con'"},
		{"--conf", "error: Missing argument for option: c"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			args, err := fromFlume(agentOptions, strings.Fields(tt.args))
			got := strings.Join(args, " ")
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != tt.want {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}
