package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/flumekit/flumekit/pkg/cli"
)

type versionCommand struct{}

func (versionCommand) Run(_, _ context.Context) error {
	return cli.Answer(cli.Version("fctl") + "\n")
}

// flumeVersion returns the five lines that flume-ng version prints.
func flumeVersion() string {
	built := make(map[string]string)
	sum := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		sum = info.Main.Sum
		for _, s := range info.Settings {
			built[s.Key] = s.Value
		}
	}
	version := strings.Fields(cli.Version("fctl"))[1]
	return fmt.Sprintf(`Flumekit %s
Source code repository: https://github.com/flumekit/flumekit
Revision: %s
Compiled by %s on %s
From source with checksum %s
`, version, known(built["vcs.revision"]), runtime.Version(), known(built["vcs.time"]), known(sum))
}

// known returns what is told in a version for a field, as Flume does.
func known(field string) string { return cmp.Or(field, "Unknown") }
