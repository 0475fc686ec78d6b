package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args  string
		quick bool
		runs  int
		flows string
	}{
		{"", false, 5, ""},
		{"quick", true, 1, ""},
		{"quick --runs 3 clients-100", true, 3, "clients-100"},
		{"idle --runs 2 stdin-null quick", true, 2, "idle stdin-null"},
	} {
		set, err := parse(strings.Fields(tt.args))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range set.flows {
			names = append(names, f.name)
		}
		if tt.flows == "" && len(names) == len(flows()) {
			names = nil
		}
		if got := strings.Join(names, " "); set.quick != tt.quick || set.runs != tt.runs || got != tt.flows {
			t.Errorf("%q: got quick %v, runs %d, flows %q", tt.args, set.quick, set.runs, got)
		}
	}
	if _, err := parse([]string{"slow"}); err == nil || !strings.Contains(err.Error(), `no flow "slow"`) {
		t.Errorf("got %v; want an error that names the flow", err)
	}
}

func TestReadAnswers(t *testing.T) {
	for _, tt := range []struct{ answers, want string }{
		{"OK\nOK\nOK\n", ""},
		{"OK\nOK\n", "after 2 answers of 3: EOF"},
		{"OK\nFAILED: channel full\nOK\n", `FAILED: channel full`},
		{"OK\nOK\nOK\nOK\n", "after 4 answers"},
		{"OK\nOK\nKO!\n", "are not all OK"},
	} {
		err := readAnswers(strings.NewReader(tt.answers), 3)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: got %v; want %q", tt.answers, err, tt.want)
		}
	}
}

func TestCheckLines(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(text string) string
		want   string
	}{
		"all":     {func(text string) string { return text }, ""},
		"less":    {func(text string) string { return text[:2*(bodySize+1)] }, "after 2 lines of 3"},
		"cut":     {func(text string) string { return text[:len(text)-1] }, "after 2 lines of 3"},
		"more":    {func(text string) string { return text + "x" }, "more than the 3 lines"},
		"swapped": {func(text string) string { return text[bodySize+1:] + text[:bodySize+1] }, "line 0 is"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "lines")
			if err := writeLines(path, 3); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.change(string(text))), 0o644); err != nil {
				t.Fatal(err)
			}
			err = checkLines(dir, 3)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	calls := 12_345
	run := sample{Events: 1_000_000, Elapsed: 200 * time.Millisecond, CPU: 270 * time.Millisecond, Memory: 123e6}
	slow := sample{Events: 1_000_000, Elapsed: 2 * time.Second, CPU: 13 * time.Second, Memory: 123e6}
	r := report{
		Rows: []row{
			{Name: "stdin-memory-1000", Durability: inMemory, Runs: []sample{run}, Syncs: &calls},
			{Name: "cat file | wc -l", Beside: "stdin-memory-1000", bar: 0.5, Runs: []sample{slow, run, run}},
			{Name: "netcat-memory", Failed: "3 events went in, and 2 came out\nmore"},
			{Name: "Flume 1.11", Beside: "stdin-memory-1000", bar: 3, perCPU: 50, Runs: []sample{slow}},
			{Name: "clients-100", Runs: []sample{slow}},
			{Name: "clients-1", Runs: []sample{{Events: 100, Elapsed: time.Second}}},
		},
		Observations: []observation{{What: "fctl agent, start to first event", Value: 301, Unit: "ms", Bar: 300}},
	}
	r.compare()
	var page strings.Builder
	if err := r.print(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"stdin-memory-1000            5,000,000     -  1000.0     0.27   123 MB   12,345  none: memory\n",
		"  cat file | wc -l           5,000,000   45%  1000.0     0.27   123 MB        -\n",
		"netcat-memory                   FAILED  3 events went in, and 2 came out\n",
		"301.0 ms  bar 300: missed\n",
		"stdin-memory-1000 : cat file | wc -l                             1.00     bar 0.5: met\n",
		"stdin-memory-1000 : Flume 1.11                                  10.00     bar 3: met\n",
		"stdin-memory-1000 : Flume 1.11, per CPU second                  48.15     bar 50: missed\n",
		"clients-100 : clients-1                                       5000.00     bar 20: met\n",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the table has no line %q", want)
		}
	}
	for line := range strings.Lines(page.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if t.Failed() {
		t.Log("\n" + page.String())
	}
}

func TestPossible(t *testing.T) {
	for _, tt := range []struct{ args, possible, without string }{
		{"stdin-null", "stdin-null beside cat file | wc -l", ""},
		{"hdfs-text hdfs-local-text avro-agents-100", "hdfs-local-text, avro-agents-100", "there is no --root"},
		{"quick --root . ", "", "all flows are to be quick"},
	} {
		set, err := parse(strings.Fields(tt.args))
		if err != nil {
			t.Fatal(err)
		}
		l := new(lab)
		l.findPeers(set)
		var names []string
		for _, f := range l.possible(set.flows) {
			name := f.name
			if f.beside != nil {
				name += " beside " + f.beside.name
			}
			names = append(names, name)
		}
		got := strings.Join(names, ", ")
		if tt.possible != "" && got != tt.possible || strings.Contains(got, "Flume") || !strings.HasPrefix(l.without, tt.without) || tt.without == "" && l.without != "" {
			t.Errorf("%s: got %s without %q; want %s without %q", tt.args, got, l.without, tt.possible, tt.without)
		}
	}
}

func TestValuesOf(t *testing.T) {
	marker := strings.Repeat("m", syncSize)
	record := func(n int) string {
		return "\x00\x00\x00\xd2\x00\x00\x00\x08" + "the time" + "\x8f\xc8" + string(line(nil, n))
	}
	whole := sequenceHead + marker + record(0) + record(1) + "\xff\xff\xff\xff" + marker + record(2)
	for name, tt := range map[string]struct{ file, want string }{
		"whole":        {whole, ""},
		"compressed":   {strings.Replace(whole, "Text\x00", "Text\x01", 1), "the file begins with"},
		"cut":          {whole[:len(whole)-1], "after 2 lines of 3: unexpected EOF"},
		"other marker": {strings.Replace(whole, "\xff"+marker, "\xff"+strings.Repeat("n", syncSize), 1), "the marker 6e"},
		"short value":  {strings.Replace(whole, "\x8f\xc8", "\x8f\xc7", 1), "the value"},
		"one missing":  {strings.Replace(whole, record(1), "", 1), "line 1 is"},
	} {
		t.Run(name, func(t *testing.T) {
			err := holdLines(valuesOf(strings.NewReader(tt.file)), 3)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	if !exists("/proc/self/stat") {
		t.Skip("there is no /proc")
	}
	for begin := ownCPU(); ownCPU()-begin < 100*time.Millisecond; {
	}
	var children syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children); err != nil {
		t.Fatal(err)
	}
	want := ownCPU() + time.Duration(children.Utime.Nano()+children.Stime.Nano())
	if got := ticks(os.Getpid()); (got - want).Abs() > 50*time.Millisecond {
		t.Errorf("got %v of CPU time; want %v", got, want)
	}
}
