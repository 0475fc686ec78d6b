package hdfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
)

// confDir has the environment name a directory with these files; each is what
// stands within <configuration>.
func confDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, properties := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("<configuration>"+properties+"</configuration>"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HADOOP_CONF_DIR", dir)
	return dir
}

func property(name, value string) string {
	return "<property><name>" + name + "</name><value>" + value + "</value></property>"
}

func TestConf(t *testing.T) {
	t.Setenv("CONF_TEST_PORT", "9000")
	confDir(t, map[string]string{
		"core-site.xml": property("fs.defaultFS", "\n  hdfs://${nn.host}:${env.CONF_TEST_PORT}\n") + property("nn.host", "${nn.name}.example.org") + property("nn.name", "one") +
			property("round", "${round}") + property("open", "${nobody.set.this}"),
		"hdfs-site.xml": property("nn.name", "two"),
	})
	conf, _, err := loadConf()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"fs.defaultFS": "hdfs://two.example.org:9000", "round": "${round}", "open": "${nobody.set.this}"} {
		if got := conf[name]; got != want {
			t.Errorf("%s: got %q; want %q", name, got, want)
		}
	}
}

func TestConfRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"none there":  {nil, "neither core-site.xml nor hdfs-site.xml is there"},
		"not XML":     {map[string]string{"core-site.xml": "", "hdfs-site.xml": "<property><na"}, "hdfs-site.xml: XML syntax error"},
		"bad address": {map[string]string{"core-site.xml": property("fs.defaultFS", "hdfs://nn:80x0")}, "fs.defaultFS in "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := confDir(t, tt.files)
			_, err := options(t, t.TempDir()).Open(t.Context())
			got := strings.Join(fault.Lines(err), "\n")
			if !strings.Contains(got, tt.want) || !strings.Contains(got, dir) || !strings.Contains(got, "hint: ") {
				t.Errorf("got %s; want %q, the directory and a hint", got, tt.want)
			}
		})
	}
}

func TestWhatOpenWarnsOf(t *testing.T) {
	t.Setenv("HADOOP_CONF_DIR", "")
	t.Setenv("HADOOP_HOME", "")
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                    "This is a local directory",
		"file://" + dir:        "",
		"file://" + dir + "%Q": "an escape that stands for nothing",
	} {
		var log strings.Builder
		s, err := options(t, dir, "hdfs.path", path).Open(zerolog.New(&log).WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got %q; want %q", path, got, want)
		}
	}
}
