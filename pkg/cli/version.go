package cli

import (
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

// pseudo matches the versions that Go makes up for commits without a tag.
var pseudo = regexp.MustCompile(`[.-]\d{14}-[0-9a-f]{12}`)

// Version returns the line of --version: "fsrc 0.1.0 (8d1be2cbc4a0, go1.26.0,
// linux/amd64)". A build that is not of a tag has the version devel.
func Version(name string) string {
	version, commit := "devel", ""
	if build, ok := debug.ReadBuildInfo(); ok {
		version, commit = describe(build)
	}
	details := []string{runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if commit != "" {
		details = append([]string{commit}, details...)
	}
	return fmt.Sprintf("%s %s (%s)", name, version, strings.Join(details, ", "))
}

// describe returns the version and the commit of a build.
func describe(build *debug.BuildInfo) (version, commit string) {
	version, _, _ = strings.Cut(strings.TrimPrefix(build.Main.Version, "v"), "+")
	if version == "" || version == "(devel)" || pseudo.MatchString(version) {
		version = "devel"
	}
	modified := false
	for _, setting := range build.Settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value[:min(12, len(setting.Value))]
		case "vcs.modified":
			modified = setting.Value == "true"
		}
	}
	if commit != "" && modified {
		commit += " with changes"
	}
	return version, commit
}
