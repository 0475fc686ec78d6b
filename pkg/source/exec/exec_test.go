package exec_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/exec"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
)

// options returns the defaults for a command, and for a command of /bin/sh.
func options(command string) *exec.Options {
	return &exec.Options{
		Command:         command,
		RestartThrottle: option.Millis(10 * time.Second),
		BatchSize:       20,
		BatchTimeout:    option.Millis(3 * time.Second),
		MaxLineLength:   1 << 20,
		KillGrace:       option.Millis(3 * time.Second),
	}
}

func script(command string) *exec.Options {
	opt := options(command)
	opt.Shell = "/bin/sh -c"
	return opt
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPromises(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New: func(t *testing.T, bodies []string) source.Options {
			opt := options("cat " + file(t, strings.Join(bodies, "\n")+"\n"))
			opt.Restart = true
			opt.RestartThrottle = option.Millis(time.Hour)
			opt.BatchSize = 7
			return opt
		},
		Refused: map[string]func(*testing.T) source.Options{
			"command": func(*testing.T) source.Options { return options("no-such-program x") },
			"shell": func(*testing.T) source.Options {
				opt := options("true")
				opt.Shell = "/no/such/shell -c"
				return opt
			},
		},
	})
}

// run runs an exec source to its end, or until the condition that ready waits
// for, and returns Run's error.
func run(t *testing.T, opt *exec.Options, put *sourcetest.Collector, log io.Writer, ready func()) error {
	t.Helper()
	ctx, cancel := context.WithCancel(zerolog.New(log).WithContext(t.Context()))
	defer cancel()
	src, err := opt.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, put) }()
	if ready != nil {
		ready()
		cancel()
	}
	select {
	case err := <-done:
		return err
	case <-time.After(sourcetest.Bound):
		t.Fatalf("Run has not returned after %v", sourcetest.Bound)
		return nil
	}
}

func TestOutput(t *testing.T) {
	wide := options("cat " + file(t, "\x00a\x00\r\x00\n\x01\x0a\x00\n\x00b"))
	if err := wide.Charset.UnmarshalText([]byte("UTF-16BE")); err != nil {
		t.Fatal(err)
	}
	short := options("printf 123456789\\n1234\\n12345678")
	short.MaxLineLength = 4
	for _, tt := range []struct {
		name string
		opt  *exec.Options
		want []string
	}{
		{"every line end", options(`printf a\nb\rc\r\nd`), []string{"a", "b", "c", "d"}},
		{"nothing", options("true"), nil},
		{"blank lines", options(`printf \n\r\n\r\r`), []string{"", "", "", ""}},
		{"blanks around", options("  echo  a   b "), []string{"a b"}},
		{"quotes mean nothing", options(`echo "a b" 'c'`), []string{`"a b" 'c'`}},
		{"a shell", script(`printf '%s\n' "a b" c | grep ' '; for i in 1 2; do echo $i; done`), []string{"a b", "1", "2"}},
		{"bytes that are not UTF-8", options(`printf \377x\n`), []string{"\xffx"}},
		{"two bytes a character", wide, []string{"\x00a", "\x01\x0a", "\x00b"}},
		{"lines too long", short, []string{"1234", "5678", "9", "1234", "1234", "5678"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			var put sourcetest.Collector
			if err := run(t, tt.opt, &put, io.Discard, nil); err != nil {
				t.Errorf("Run: %v", err)
			}
			if got := put.Bodies(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestMuchOutput(t *testing.T) {
	opt := options("seq 0 99999")
	opt.BatchSize = 1000
	var put sourcetest.Collector
	if err := run(t, opt, &put, io.Discard, nil); err != nil {
		t.Errorf("Run: %v", err)
	}
	got := put.Bodies()
	for i, body := range got {
		if body != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, body)
		}
	}
	if len(got) != 100000 {
		t.Errorf("got %d events; want 100000", len(got))
	}
}

// TestMissingProgram checks that a program that cannot be run is told as a wrong
// configuration: to try again would be in vain.
func TestMissingProgram(t *testing.T) {
	shell := options("true")
	shell.Shell = "/no/such/shell -c"
	for _, tt := range []struct {
		name string
		opt  *exec.Options
		want string
	}{
		{"a name", options("no-such-program x"), `looking for the program of command, "no-such-program": `},
		{"a shell's path", shell, `looking for the program of shell, "/no/such/shell": `},
		{"a file that may not be executed", options(file(t, "")), "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.opt.Open(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %s", err, tt.want)
			}
			if got := fault.Status(err); got != fault.Config {
				t.Errorf("got status %d; want %d", got, fault.Config)
			}
		})
	}
}

func TestFailure(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   string
	}{
		{"echo a; echo one >&2; echo two >&2; exit 3", `ended: exit status 3: it said "two"`},
		{"echo a; kill -9 $$", "ended: signal: killed"},
		{"echo a; no-such-program", "hint: the shell did not find a program"},
	} {
		var put sourcetest.Collector
		err := run(t, script(tt.script), &put, io.Discard, nil)
		if got := strings.Join(fault.Lines(err), "\n"); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s; want %s", tt.script, got, tt.want)
		}
		if got := put.Bodies(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%s: got %q; want what it wrote before", tt.script, got)
		}
	}
}

func TestRestart(t *testing.T) {
	opt := script("echo again; exit 3")
	opt.Restart, opt.RestartThrottle = true, option.Millis(time.Millisecond)
	var put sourcetest.Collector
	var log strings.Builder
	if err := run(t, opt, &put, &log, func() { put.Await(t, 3) }); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := put.Bodies(); !slices.Equal(got[:3], []string{"again", "again", "again"}) {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(log.String(), `"Restarting in 1ms, exit code 3"`) {
		t.Errorf("got the log %s; want the restarts in it", &log)
	}
}

func TestStandardError(t *testing.T) {
	opt := script("echo one >&2; echo two >&2; echo out")
	opt.LogStdErr = true
	var put sourcetest.Collector
	var log strings.Builder
	if err := run(t, opt, &put, &log, nil); err != nil {
		t.Errorf("Run: %v", err)
	}
	for _, want := range []string{"StderrLogger[1] = 'one'", "StderrLogger[2] = 'two'"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("got the log %s; want %s in it", &log, want)
		}
	}
}

func TestShellCharactersAreNoticed(t *testing.T) {
	for _, tt := range []struct {
		opt  *exec.Options
		want bool
	}{
		{options("cat x | grep y"), true},
		{options("tail -F /var/log/*"), true},
		{options("tail -F /var/log/syslog"), false},
		{script("cat x | grep y"), false},
	} {
		var log strings.Builder
		if _, err := tt.opt.Open(zerolog.New(&log).WithContext(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "--shell '/bin/sh -c'"); got != tt.want {
			t.Errorf("%s: a hint is %v; want %v", tt.opt.Command, got, tt.want)
		}
	}
}

func TestStop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script string
		grace  time.Duration
		want   []string
	}{
		{"last words are committed", `trap 'echo bye; exit' TERM; echo hi; while :; do sleep 0.01; done`, time.Minute, []string{"hi", "bye"}},
		{"a command that ignores SIGTERM is killed", `trap '' TERM; echo hi; while :; do sleep 0.01; done`, 10 * time.Millisecond, []string{"hi"}},
		{"a process that left the group is not waited for", `setsid sleep 60 & echo hi; wait`, 10 * time.Millisecond, []string{"hi"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			opt := script(tt.script)
			opt.BatchSize, opt.KillGrace = 1, option.Millis(tt.grace)
			var put sourcetest.Collector
			if err := run(t, opt, &put, io.Discard, func() { put.Await(t, 1) }); err != nil {
				t.Errorf("Run: %v", err)
			}
			if got := put.Bodies(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}

	t.Run("children end with the command", func(t *testing.T) {
		alive := filepath.Join(t.TempDir(), "alive")
		if err := syscall.Mkfifo(alive, 0o600); err != nil {
			t.Fatal(err)
		}
		opt := script(`(exec >` + alive + `; exec sleep 1000) & echo hi; wait`)
		opt.BatchSize = 1
		var put sourcetest.Collector
		var r *os.File
		if err := run(t, opt, &put, io.Discard, func() {
			var err error
			if r, err = os.Open(alive); err != nil {
				t.Fatal(err)
			}
			put.Await(t, 1)
		}); err != nil {
			t.Errorf("Run: %v", err)
		}
		defer r.Close()
		r.SetReadDeadline(time.Now().Add(sourcetest.Bound))
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("reading from the child: got %v; want EOF, for it is gone", err)
		}
	})
}

func TestOutputIsCommittedWhenAChannelHoldsUpTheStop(t *testing.T) {
	written := filepath.Join(t.TempDir(), "written")
	if err := syscall.Mkfifo(written, 0o600); err != nil {
		t.Fatal(err)
	}
	const lines = 9000 // which a pipe holds
	opt := script(fmt.Sprintf("seq 0 %d; echo >%s; sleep 1000", lines-1, written))
	opt.KillGrace = option.Millis(10 * time.Millisecond)
	var put sourcetest.Collector
	put.Hold()
	if err := run(t, opt, &put, io.Discard, func() {
		if _, err := os.ReadFile(written); err != nil {
			t.Fatal(err)
		}
		put.AwaitCaller(t)
		time.AfterFunc(500*time.Millisecond, put.Accept) // longer than the stop waits for the command
	}); err != nil {
		t.Errorf("Run: %v", err)
	}
	got := put.Bodies()
	if len(got) != lines {
		t.Errorf("got %d events; want the %d that were written before the stop", len(got), lines)
	}
	for i, body := range got {
		if body != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, body)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := options("true").Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for property, spoil := range map[string]func(*exec.Options){
		"command":         func(o *exec.Options) { o.Command = " " },
		"restartThrottle": func(o *exec.Options) { o.RestartThrottle = -1 },
		"batchSize":       func(o *exec.Options) { o.BatchSize = 0 },
		"batchTimeout":    func(o *exec.Options) { o.BatchTimeout = -1 },
		"max-line-length": func(o *exec.Options) { o.MaxLineLength = 0 },
		"kill-grace":      func(o *exec.Options) { o.KillGrace = -1 },
	} {
		opt := options("true")
		spoil(opt)
		if err := opt.Validate(); err == nil || !strings.HasPrefix(err.Error(), property+" is ") {
			t.Errorf("%s: got %v; want an error that names it", property, err)
		}
	}
}
