package pkg_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/flumekit/flumekit/"

// mayImport is the architecture: for each package, below pkg/, the packages of
// this module that it may import, and the modules besides the standard library.
// A name that ends in /... stands for what is below it. README.md draws it.
var mayImport = []struct {
	pkg     string
	ours    string
	modules string
}{
	{"event", "", ""},
	{"fault", "", ""},
	{"option", "fault", "golang.org/x/text"},
	{"component", "fault", "github.com/rs/zerolog"},
	{"tlsconf", "fault option", "github.com/pavlo-v-chernykh/keystore-go/v4 software.sslmate.com/src/go-pkcs12"},
	{"eventjson", "event fault", ""},
	{"eventtext", "event", ""},
	{"jceks", "fault", ""},
	{"flumeconf", "fault", ""},
	{"lineout", "sink", ""},
	{"nonblock", "", "go.uber.org/goleak golang.org/x/sys"},
	{"procgroup", "", ""},
	{"plugin", "fault flumeconf procgroup", ""},
	{"stream", "event eventjson eventtext fault nonblock", "github.com/hamba/avro/v2 github.com/klauspost/compress golang.org/x/sys"},
	{"cli", "component fault flumeconf option", "github.com/alecthomas/kong github.com/rs/zerolog github.com/mattn/go-isatty"},
	{"interceptor", "component event option fault", ""},
	{"selector", "component event fault", ""},
	{"escape", "event fault", ""},
	{"serializer", "component event eventtext fault option", "github.com/dsnet/compress github.com/klauspost/compress"},
	{"rpc", "event fault nonblock option tlsconf", "github.com/hamba/avro/v2 github.com/klauspost/compress github.com/rs/zerolog"},
	{"source", "component event fault interceptor selector stream", "github.com/rs/zerolog"},
	{"source/all", "component source source/...", ""},
	{"source/sourcetest", "source event fault", "github.com/rs/zerolog go.uber.org/goleak"},
	{"source/plugin", "source component plugin stream", ""},
	{"source/avro", "source component event fault option rpc source/listen tlsconf", ""},
	{"source/*", "source component event option fault nonblock procgroup source/listen source/syslog tlsconf", "github.com/rs/zerolog golang.org/x/text golang.org/x/sys"},
	{"sink", "component event fault stream", "github.com/rs/zerolog"},
	{"sink/all", "component sink sink/...", ""},
	{"sinkgroup", "component event fault option sink", "github.com/rs/zerolog"},
	{"sink/sinktest", "cli component event fault flumeconf sink", "github.com/rs/zerolog go.uber.org/goleak golang.org/x/sys"},
	{"sink/plugin", "sink component event plugin stream", "github.com/rs/zerolog"},
	{"sink/avro", "sink component event fault option rpc", "github.com/rs/zerolog"},
	{"sink/hdfs", "sink component escape event fault option serializer", "github.com/colinmarc/hdfs/v2 github.com/dsnet/compress github.com/jcmturner/gokrb5/v8 github.com/klauspost/compress github.com/pierrec/lz4/v4 github.com/rs/zerolog golang.org/x/sys google.golang.org/protobuf"},
	{"sink/*", "sink component event eventjson eventtext lineout option fault serializer", "github.com/rs/zerolog golang.org/x/sys"},
	{"channel", "component event fault option stream", "github.com/rs/zerolog golang.org/x/sys"},
	{"channel/all", "component channel channel/...", ""},
	{"channel/embedded", "channel channel/msgblock event fault", "github.com/nats-io/nats-server/v2 github.com/nats-io/nats.go github.com/rs/zerolog"},
	{"channel/msgblock", "fault", "github.com/minio/highwayhash golang.org/x/crypto"},
	{"channel/channeltest", "channel event fault", "github.com/rs/zerolog go.uber.org/goleak pgregory.net/rapid"},
	{"channel/jetstream", "channel component event fault option stream", "github.com/nats-io/nats.go github.com/rs/zerolog"},
	{"channel/leafnode", "channel/jetstream", "github.com/nats-io/nats-server/v2 github.com/rs/zerolog"},
	{"channel/kafka", "channel component event option fault stream tlsconf", "github.com/rs/zerolog github.com/twmb/franz-go"},
	{"channel/flumelog", "event fault", "github.com/klauspost/compress google.golang.org/protobuf"},
	{"channel/file", "channel component event fault jceks option", "github.com/rs/zerolog golang.org/x/sys"},
	{"channel/jdbc", "channel channel/file component fault option", ""},
	{"channel/pseudotxnmemory", "channel channel/memory component option", ""},
	{"channel/spillablememory", "channel channel/file channel/memory component event fault option", "github.com/rs/zerolog"},
	{"channel/*", "channel component event option fault", "github.com/rs/zerolog golang.org/x/sys"},
	{"agent", "fault flumeconf stream", "github.com/rs/zerolog golang.org/x/sys"},
}

func TestLayout(t *testing.T) {
	packages := goFiles(t)
	for dir, files := range packages {
		rule := slices.IndexFunc(mayImport, func(r struct{ pkg, ours, modules string }) bool {
			ok, _ := path.Match(r.pkg, dir)
			return ok
		})
		if rule < 0 {
			t.Errorf("pkg/%s has no place in the architecture: give it a line in mayImport and a sentence in README.md", dir)
			continue
		}
		for _, file := range files {
			for _, imported := range imports(t, file) {
				if ours, ok := strings.CutPrefix(imported, module+"pkg/"); ok {
					if !listed(mayImport[rule].ours, ours) {
						t.Errorf("%s imports pkg/%s; pkg/%s may import of ours: %s", file, ours, dir, mayImport[rule].ours)
					}
				} else if strings.Contains(strings.Split(imported, "/")[0], ".") && !listed(mayImport[rule].modules, imported) {
					t.Errorf("%s imports %s; pkg/%s may import besides std: %s", file, imported, dir, mayImport[rule].modules)
				}
			}
		}
	}
}

// listed reports whether name is, or is below, one of the names.
func listed(names, name string) bool {
	return slices.ContainsFunc(strings.Fields(names), func(n string) bool {
		below, tree := strings.CutSuffix(n, "/...")
		return name == n || strings.HasPrefix(name, below+"/") && (tree || strings.Contains(n, "."))
	})
}

// goFiles returns the Go files that are not tests, by their package's folder.
func goFiles(t *testing.T) map[string][]string {
	t.Helper()
	packages := make(map[string][]string)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			dir := filepath.ToSlash(filepath.Dir(name))
			packages[dir] = append(packages[dir], name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, imported)
	}
	return all
}

// TestLayoutComments holds that each package says what it is for, once, in the
// file named after its folder.
func TestLayoutComments(t *testing.T) {
	for dir, files := range goFiles(t) {
		var commented []string
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc != nil {
				commented = append(commented, filepath.Base(file))
			}
		}
		if want := path.Base(dir) + ".go"; !slices.Equal(commented, []string{want}) {
			t.Errorf("pkg/%s has its package comment in %v; want it in %s", dir, commented, want)
		}
	}
}

// TestMapNamesEveryPackage holds that README.md, the map, has them all.
func TestMapNamesEveryPackage(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for dir := range goFiles(t) {
		if !strings.Contains(string(readme), "`"+dir+"`") && !strings.Contains(string(readme), "`"+path.Dir(dir)+"/*`") {
			t.Errorf("README.md does not name `%s`", dir)
		}
	}
}
