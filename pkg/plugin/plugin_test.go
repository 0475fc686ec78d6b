package plugin_test

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
	"github.com/flumekit/flumekit/pkg/plugin"
)

// script makes a program of a shell script, first on PATH, and returns its path.
func script(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return path
}

func find(t *testing.T, typ string) plugin.Program {
	t.Helper()
	p, ok := plugin.Find("fsrc", typ)
	if !ok {
		t.Fatalf("there is no plug-in %s", typ)
	}
	return p
}

func TestFind(t *testing.T) {
	path := script(t, "fsrc-fish", "#!/bin/sh\n")
	if got := find(t, "fish"); got != (plugin.Program{Name: "fsrc-fish", Path: path}) {
		t.Errorf("got %+v; want %s", got, path)
	}
	plain := script(t, "fsrc-plain", "#!/bin/sh\n")
	if err := os.Chmod(plain, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"", "bird", "plain", "/../fsrc-fish", "x/fish", `x\fish`} {
		if got, ok := plugin.Find("fsrc", typ); ok {
			t.Errorf("%q: got %+v; want none", typ, got)
		}
	}
	if got, ok := plugin.Find("fsink", "fish"); ok {
		t.Errorf("a source is found as the sink %+v", got)
	}
}

func TestFindPassesByTheCurrentDirectory(t *testing.T) {
	t.Chdir(filepath.Dir(script(t, "fsrc-fish", "#!/bin/sh\n")))
	for _, path := range []string{".", ""} {
		t.Setenv("PATH", path)
		if got, ok := plugin.Find("fsrc", "fish"); ok {
			t.Errorf("with PATH=%q: got %+v; want none", path, got)
		}
	}
}

// run starts a plug-in and returns what it writes.
func run(t *testing.T, c plugin.Call) (string, error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout = w
	p, err := plugin.Start(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), p.Wait()
}

func TestProperties(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	script(t, "fsrc-fish", "#!/bin/sh\ncat \"$2\"\n")
	want := map[string]string{"name": "carp", "the = key": "a\\b\n# ü", "size": strings.Repeat("x", 200_000)}
	text, err := run(t, plugin.Call{Program: find(t, "fish"), Properties: want})
	if err != nil {
		t.Fatal(err)
	}
	props, err := flumeconf.Parse("", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range props {
		got[p.Key] = p.Value
		if line := strings.Split(text, "\n")[p.Pos.Line-1]; p.Pos.File != "/dev/fd/3" || !strings.HasPrefix(line, p.Key[:3]) {
			t.Errorf("%s is said to stand at %v", p.Key, p.Pos)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %.200q; want %.200q", got, want)
	}
}

func TestCommandLine(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	script(t, "fsrc-fish", "#!/bin/sh\nfor word; do echo \"$word\"; done\nenv | grep carp\nread -r line || echo empty\n")
	for _, tt := range []struct {
		name string
		call plugin.Call
		want string
	}{
		{"is empty without properties", plugin.Call{}, "empty\n"},
		{"has the target", plugin.Call{Target: "a b"}, "a b\nempty\n"},
		{"has where the properties are, and not them", plugin.Call{Target: "x", Properties: map[string]string{"fish": "carp"}},
			"--properties\n/dev/fd/3\nx\nempty\n"},
		{"stands also if many properties are not read", plugin.Call{Properties: map[string]string{"fish": strings.Repeat("carp", 100_000)}},
			"--properties\n/dev/fd/3\nempty\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.call.Program = find(t, "fish")
			got, err := run(t, tt.call)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	script(t, "fsrc-fish", "no program\n")
	for _, tt := range []struct {
		name  string
		props map[string]string
		want  string
	}{
		{"what is no program", map[string]string{"k": "v"}, "starting plug-in fsrc-fish: "},
		{"a value that is no text", map[string]string{"k": "\xff"}, "the properties of plug-in fsrc-fish: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := plugin.Start(plugin.Call{Program: find(t, "fish"), Properties: tt.props})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %q; want %s", fault.Lines(err), tt.want)
			}
		})
	}
}

func TestWait(t *testing.T) {
	script(t, "fsrc-fish", "#!/bin/sh\nexit 3\n")
	_, err := run(t, plugin.Call{Program: find(t, "fish")})
	if want := "plug-in fsrc-fish ended: exit status 3"; err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

// TestTerminate ends plug-ins whose children hold the output too.
func TestTerminate(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"by SIGTERM", "echo ready\nsleep 1000 | cat\n", "signal: terminated"},
		{"by SIGKILL", "trap '' TERM\necho ready\nsleep 1000 | cat\n", "signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			program := plugin.Program{Name: "fsrc-fish", Path: filepath.Join(t.TempDir(), "fsrc-fish")}
			if err := os.WriteFile(program.Path, []byte("#!/bin/sh\n"+tt.text), 0o755); err != nil {
				t.Fatal(err)
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			p, err := plugin.Start(plugin.Call{Program: program, Stdout: w})
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, len("ready\n"))); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				io.Copy(io.Discard, r)
			}()
			p.Terminate(done)
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("its children have not ended")
			}
			if err := p.Wait(); err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v; want %s", err, tt.want)
			}
		})
	}
}

// TestOwnGroup holds that a signal to the caller's group does not meet the plug-in.
func TestOwnGroup(t *testing.T) {
	script(t, "fsrc-fish", "#!/bin/sh\nps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat\n")
	got, err := run(t, plugin.Call{Program: find(t, "fish")})
	if err != nil {
		t.Fatal(err)
	}
	own, err := syscall.Getpgid(0)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(got) == "" || strings.TrimSpace(got) == strconv.Itoa(own) {
		t.Errorf("the plug-in's group is %q; want another than %d", got, own)
	}
}
