package cli

import (
	"regexp"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	if got := Version("fsrc"); !regexp.MustCompile(`^fsrc \S+ \(.*go1\.\S+, \w+/\w+\)$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct{ module, revision, modified, version, commit string }{
		{"v0.1.0", "8d1be2cbc4a0f00d", "false", "0.1.0", "8d1be2cbc4a0"},
		{"v0.1.0+dirty", "8d1be2cbc4a0f00d", "true", "0.1.0", "8d1be2cbc4a0 with changes"},
		{"v0.1.1-0.20261122130000-8d1be2cbc4a0", "8d1be2cbc4a0f00d", "false", "devel", "8d1be2cbc4a0"},
		{"(devel)", "", "", "devel", ""},
		{"v1.0.0-rc.1", "", "", "1.0.0-rc.1", ""},
	} {
		build := &debug.BuildInfo{Main: debug.Module{Version: tt.module}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: tt.revision}, {Key: "vcs.modified", Value: tt.modified},
		}}
		if version, commit := describe(build); version != tt.version || commit != tt.commit {
			t.Errorf("%s: got %q, %q; want %q, %q", tt.module, version, commit, tt.version, tt.commit)
		}
	}
}
