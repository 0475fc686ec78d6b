package hdfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flumekit/flumekit/pkg/event"
	"github.com/flumekit/flumekit/pkg/sink"
	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

// text are the properties of tests that look at lines; what comes later counts.
var text = []string{"hdfs.fileType", "DataStream"}

func open(t testing.TB, dir string, set ...string) sink.Sink {
	t.Helper()
	s, err := options(t, dir, set...).Open(sinktest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func options(t testing.TB, dir string, set ...string) *Options {
	t.Helper()
	all := append([]string{"hdfs.path", "file://" + dir}, text...)
	opt := sinktest.Set(t, new(Options), append(all, set...)...)
	if err := opt.Validate(); err != nil {
		t.Fatal(err)
	}
	return opt
}

func put(t *testing.T, s sink.Sink, bodies ...string) {
	t.Helper()
	if err := s.Write(t.Context(), batch(bodies...)); err != nil {
		t.Fatal(err)
	}
}

func batch(bodies ...string) *event.Batch {
	var b event.Batch
	for _, body := range bodies {
		// "host:body" has a header
		host, body, ok := strings.Cut(body, ":")
		if !ok {
			host, body = "a", host
		}
		b.Append(event.Event{Headers: event.NewHeaders("host", host, "timestamp", "1331614800123"), Body: []byte(body)})
	}
	return &b
}

// files returns the names below dir, and what is in the files.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all = append(all, strings.TrimSpace(rel+": "+strings.ReplaceAll(string(content), "\n", " ")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The names and contents of files, with time as synctest has it: the clock
// begins at 946684800000 ms.
func TestFiles(t *testing.T) {
	const first, second = "FlumeData.946684800001", "FlumeData.946684800002"
	never := []string{"hdfs.rollInterval", "0", "hdfs.rollSize", "0", "hdfs.rollCount", "0"}
	for _, tt := range []struct {
		name string
		set  []string
		do   func(t *testing.T, s sink.Sink)
		open []string // while the sink is open
		want []string
	}{
		{"no event, no file", nil, func(t *testing.T, s sink.Sink) { time.Sleep(time.Hour) }, nil, nil},
		{"rollCount", []string{"hdfs.rollCount", "2"},
			func(t *testing.T, s sink.Sink) { put(t, s, "1", "2", "3"); put(t, s, "4") },
			[]string{first + ": 1 2", second + ".tmp: 3 4"},
			[]string{first + ": 1 2", second + ": 3 4"}},
		{"rollSize counts bodies alone", []string{"hdfs.rollSize", "10", "hdfs.rollCount", "0"},
			func(t *testing.T, s sink.Sink) { put(t, s, "12345", "1234", "123456", "1") },
			[]string{first + ": 12345 1234 123456", second + ".tmp: 1"},
			[]string{first + ": 12345 1234 123456", second + ": 1"}},
		{"never", never,
			func(t *testing.T, s sink.Sink) {
				for range 3 {
					put(t, s, strings.Repeat("x", 1000))
					time.Sleep(1000 * time.Hour)
				}
			},
			[]string{first + ".tmp: " + strings.Repeat(strings.Repeat("x", 1000)+" ", 2) + strings.Repeat("x", 1000)},
			[]string{first + ": " + strings.Repeat(strings.Repeat("x", 1000)+" ", 2) + strings.Repeat("x", 1000)}},
		{"rollInterval, and the next number is the time", append(slices.Clone(never), "hdfs.rollInterval", "30"),
			func(t *testing.T, s sink.Sink) {
				put(t, s, "1")
				time.Sleep(29 * time.Second)
				put(t, s, "2")
				time.Sleep(2 * time.Second)
				put(t, s, "3")
			},
			[]string{first + ": 1 2", "FlumeData.946684831001.tmp: 3"},
			[]string{first + ": 1 2", "FlumeData.946684831001: 3"}},
		{"idleTimeout", append(slices.Clone(never), "hdfs.idleTimeout", "10"),
			func(t *testing.T, s sink.Sink) {
				for range 3 {
					put(t, s, "1")
					time.Sleep(9 * time.Second)
				}
				time.Sleep(2 * time.Second)
			},
			[]string{first + ": 1 1 1"}, []string{first + ": 1 1 1"}},
		{"a bucket for each path", []string{"hdfs.path", "%{host}"},
			func(t *testing.T, s sink.Sink) { put(t, s, "a:1", "b:2", "a:3") },
			[]string{"a/" + first + ".tmp: 1 3", "b/" + first + ".tmp: 2"},
			[]string{"a/" + first + ": 1 3", "b/" + first + ": 2"}},
		{"a bucket for each prefix", []string{"hdfs.filePrefix", "%{host}-%H", "hdfs.timeZone", "America/New_York"},
			func(t *testing.T, s sink.Sink) { put(t, s, "a:1", "b:2", "a:3") },
			[]string{"a-01.946684800001.tmp: 1 3", "b-01.946684800001.tmp: 2"},
			[]string{"a-01.946684800001: 1 3", "b-01.946684800001: 2"}},
		{"the time of the clock, rounded", []string{"hdfs.path", "%Y/%H%M", "hdfs.useLocalTimeStamp", "true", "hdfs.round", "true", "hdfs.roundValue", "10", "hdfs.roundUnit", "minute", "hdfs.timeZone", "GMT+5:35"},
			func(t *testing.T, s sink.Sink) { put(t, s, "1") },
			[]string{"2000/0530/" + first + ".tmp: 1"}, []string{"2000/0530/" + first + ": 1"}},
		{"names in use", []string{"hdfs.inUsePrefix", "_", "hdfs.inUseSuffix", ".now", "hdfs.fileSuffix", ".log"},
			func(t *testing.T, s sink.Sink) { put(t, s, "1") },
			[]string{"_" + first + ".log.now: 1"}, []string{first + ".log: 1"}},
		{"no suffix while in use", []string{"hdfs.emptyInUseSuffix", "true"},
			func(t *testing.T, s sink.Sink) { put(t, s, "1") },
			[]string{first + ": 1"}, []string{first + ": 1"}},
		{"maxOpenFiles", []string{"hdfs.path", "%{host}", "hdfs.maxOpenFiles", "2"},
			func(t *testing.T, s sink.Sink) {
				put(t, s, "a:1")
				put(t, s, "b:2")
				put(t, s, "a:3")
				put(t, s, "c:4")
				synctest.Wait()
			},
			[]string{"a/" + first + ".tmp: 1 3", "b/" + first + ": 2", "c/" + first + ".tmp: 4"},
			[]string{"a/" + first + ": 1 3", "b/" + first + ": 2", "c/" + first + ": 4"}},
		{"maxOpenFiles within a batch", []string{"hdfs.path", "%{host}", "hdfs.maxOpenFiles", "1"},
			func(t *testing.T, s sink.Sink) { put(t, s, "a:1", "b:2", "c:3") },
			nil,
			[]string{"a/" + first + ": 1", "b/" + first + ": 2", "c/" + first + ": 3"}},
		{"another serializer", []string{"serializer", "header_and_text"},
			func(t *testing.T, s sink.Sink) { put(t, s, "1") },
			nil, []string{first + ": {host=a, timestamp=1331614800123} 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, word := range tt.set {
				if word == "hdfs.path" {
					tt.set[i+1] = "file://" + dir + "/" + tt.set[i+1]
				}
			}
			synctest.Test(t, func(t *testing.T) {
				s := open(t, dir, tt.set...)
				tt.do(t, s)
				synctest.Wait()
				if tt.open != nil {
					if got := files(t, dir); !slices.Equal(got, tt.open) {
						t.Errorf("in use: got %q; want %q", got, tt.open)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			})
			if got := files(t, dir); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestNamesThatAreTakenAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"FlumeData.946684800001", "FlumeData.946684800002.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("precious"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.Open(filepath.Join(dir, "FlumeData.946684800002.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := lock(held); err != nil { // its writer is alive
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir, "hdfs.rollCount", "1")
		put(t, s, "1", "2")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
	got := strings.Join(files(t, dir), "\n")
	for _, want := range []string{"FlumeData.946684800001: precious", "FlumeData.946684800002.tmp: precious", ": 1\n", ": 2"} {
		if !strings.Contains(got+"\n", want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
}

func TestPoisonedEventMakesNoFile(t *testing.T) {
	dir := t.TempDir()
	for _, set := range [][]string{{"hdfs.path", "file://" + dir + "/%Y"}, {"hdfs.fileType", "SequenceFile"}} {
		s := open(t, dir, set...)
		b := batch("good")
		b.Append(event.Event{Headers: event.NewHeaders("timestamp", "soon"), Body: []byte("bad")})
		for range 3 {
			if err := s.Write(t.Context(), b); err == nil || !strings.Contains(err.Error(), `timestamp header "soon"`) {
				t.Errorf("got %v; want the header named", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := files(t, dir); len(got) > 0 {
			t.Errorf("got %q; want no files", got)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"hdfs.codeC", "gzip"}, "hdfs.codeC is set and hdfs.fileType is DataStream"},
		{[]string{"hdfs.codeC", "None"}, "hdfs.codeC is set and hdfs.fileType is DataStream"},
		{[]string{"hdfs.fileType", "CompressedStream"}, "hdfs.codeC is not set"},
		{[]string{"hdfs.fileType", "CompressedStream", "hdfs.codeC", "none"}, "hdfs.codeC is not set"},
		{[]string{"hdfs.fileType", "SequenceFile", "hdfs.codeC", "lzo"}, `"lzo" is not a codec`},
		{[]string{"hdfs.kerberosKeytab", "/x"}, "hdfs.kerberosPrincipal is not set"},
		{[]string{"hdfs.kerberosPrincipal", "x"}, "hdfs.kerberosKeytab is not set"},
	} {
		props := append([]string{"hdfs.path", "file:///x", "hdfs.fileType", "DataStream"}, tt.set...)
		opt := new(Options)
		setQuietly(t, opt, props...)
		if err := opt.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v; want %q", tt.set, err, tt.want)
		}
	}
}

// setQuietly sets what sinktest.Set refuses.
func setQuietly(t *testing.T, opt *Options, keysAndValues ...string) {
	t.Helper()
	for i := 0; i < len(keysAndValues); i += 2 {
		field := map[string]*string{
			"hdfs.path": &opt.Path, "hdfs.fileType": &opt.FileType, "hdfs.codeC": &opt.CodeC,
			"hdfs.kerberosKeytab": &opt.KerberosKeytab, "hdfs.kerberosPrincipal": &opt.KerberosPrincipal,
		}[keysAndValues[i]]
		*field = keysAndValues[i+1]
	}
	opt.BatchSize, opt.MaxOpenFiles, opt.ThreadsPoolSize = 1, 1, 1
}

func BenchmarkWrite(b *testing.B) {
	for _, kind := range []struct {
		name string
		set  []string
	}{
		{"DataStream", nil},
		{"DataStream-escapes", []string{"hdfs.path", "file:///tmp/%{none}/%Y-%m-%d/%H", "hdfs.useLocalTimeStamp", "true"}},
		{"SequenceFile", []string{"hdfs.fileType", "SequenceFile"}},
		{"CompressedStream-gzip", []string{"hdfs.fileType", "CompressedStream", "hdfs.codeC", "gzip"}},
		{"SequenceFile-snappy", []string{"hdfs.fileType", "SequenceFile", "hdfs.codeC", "snappy"}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			dir := b.TempDir()
			set := append([]string{"hdfs.rollCount", "0", "hdfs.rollSize", "0", "hdfs.batchSize", "1000"}, kind.set...)
			for i, word := range set {
				set[i] = strings.Replace(word, "file:///tmp", "file://"+dir, 1)
			}
			sinktest.Benchmark(b, options(b, dir, set...))
		})
	}
}
