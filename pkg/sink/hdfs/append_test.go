package hdfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flumekit/flumekit/pkg/sink"
)

// What happens to a file whose name is the next one's.
func TestAppend(t *testing.T) {
	const first, second = "FlumeData.946684800001", "FlumeData.946684800002"
	for _, tt := range []struct {
		name    string
		support string
		locked  bool
		set     []string
		want    []string
	}{
		{"not without hdfs.append.support", "", false, nil, []string{first + ".tmp: old", second + ": new"}},
		{"its events stay before the new ones", "true", false, nil, []string{first + ": old new"}},
		{"not while it is written to", "true", true, nil, []string{first + ".tmp: old", second + ": new"}},
		{"not to a SequenceFile", "true", false, []string{"hdfs.fileType", "SequenceFile"}, []string{first + ".tmp: old", second + ": SEQ"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conf, dir := t.TempDir(), t.TempDir()
			t.Setenv("HADOOP_CONF_DIR", conf)
			site := "<configuration><property><name>hdfs.append.support</name><value>" + tt.support + "</value></property></configuration>"
			if err := os.WriteFile(filepath.Join(conf, "core-site.xml"), []byte(site), 0o666); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				s := open(t, dir, tt.set...)
				synctest.Wait() // for the search for files that were left in use
				path := filepath.Join(dir, first+".tmp")
				if err := os.WriteFile(path, []byte("old\n"), 0o666); err != nil {
					t.Fatal(err)
				}
				if tt.locked {
					f, err := os.Open(path)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					if err := lock(f); err != nil {
						t.Fatal(err)
					}
				}
				checkAppended(t, s, dir, tt.want)
			})
		})
	}
}

func checkAppended(t *testing.T, s sink.Sink, dir string, want []string) {
	t.Helper()
	put(t, s, "new")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	got := files(t, dir)
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got %q; want %q", got, want)
	}
}
