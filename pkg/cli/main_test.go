package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/fault"
)

// runs are the commands that the test's own executable can be.
var runs = map[string]cli.Run{
	"fine":   func(context.Context, context.Context, []string) error { return nil },
	"answer": func(context.Context, context.Context, []string) error { return cli.Answer("42\n") },
	"fault": func(_, _ context.Context, args []string) error {
		err := fault.Hint(fault.At(fmt.Errorf("reading %q: %w", args, os.ErrNotExist), "f:1"), "write it")
		return fault.WithStatus(err, fault.Config)
	},
	"panic": func(context.Context, context.Context, []string) error { panic("at the disco") },
	// stop waits for the first signal, says so, and waits for the second.
	"stop": func(ctx, stop context.Context, args []string) error {
		fmt.Println("ready")
		<-stop.Done()
		if ctx.Err() != nil {
			return errors.New("stop and the end came together")
		}
		fmt.Println("stopping")
		if args[0] == "drained" {
			return nil
		}
		<-ctx.Done()
		if args[0] == "deaf" {
			select {}
		}
		return fmt.Errorf("ended: %w", ctx.Err())
	},
	// pipe writes until nobody reads.
	"pipe": func(context.Context, context.Context, []string) error {
		for {
			if _, err := fmt.Println("data"); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
		}
	},
	// child prints what a child process does when nobody reads.
	"child": func(context.Context, context.Context, []string) error {
		state := exec.Command("sh", "-c", "kill -PIPE $$; exit 7").Run()
		return fmt.Errorf("child: %w", state)
	},
	// component is a component's process.
	"component": func(ctx, stop context.Context, args []string) error {
		c, err := cli.Parse(program, catalog, args)
		if err != nil {
			return err
		}
		ctx, _ = c.Contexts(ctx, stop)
		zerolog.Ctx(ctx).Info().Msg("started")
		if c.Lifeline {
			<-ctx.Done()
		}
		return fault.Hint(errors.New("the pond is dry"), "wait for rain")
	},
}

func TestMain(m *testing.M) {
	if run := runs[os.Getenv("CLI_TEST_RUN")]; run != nil {
		os.Exit(cli.Main("prog", os.Args[1:], run))
	}
	// Where the tests themselves were started with signals ignored (nohup, a
	// shell's background job), their children are to begin without that.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	os.Exit(m.Run())
}

// command returns the test's executable as one of runs.
func command(t *testing.T, run string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), "CLI_TEST_RUN="+run)
	return c
}

func TestMainEnds(t *testing.T) {
	for _, tt := range []struct {
		run            string
		args           []string
		status         int
		stdout, stderr string
	}{
		{"fine", nil, 0, "", ""},
		{"answer", nil, 0, "42\n", ""},
		{"fault", []string{"x"}, 78, "", "prog: error: reading [\"x\"]: file does not exist\nprog: at: f:1\nprog: hint: write it\n"},
		{"panic", nil, 1, "", "prog: error: internal error: at the disco\nprog: hint: this is a defect: report it with the stack that FLUMEKIT_DEBUG=1 in the environment prints\n"},
		{"child", nil, 1, "", "prog: error: child: signal: broken pipe\n"},
		{"component", []string{"pond"}, 2, "", "prog: error: --bind is missing\nprog: hint: write fsrc pond [HOST]:PORT, or --bind=HOST: Address to listen on.\n"},
	} {
		t.Run(tt.run, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			c := command(t, tt.run, tt.args...)
			c.Stdout, c.Stderr = &stdout, &stderr
			c.Run()
			if got := c.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status: got %d; want %d", got, tt.status)
			}
			if stdout.String() != tt.stdout || stderr.String() != tt.stderr {
				t.Errorf("got %q and %q; want %q and %q", stdout.String(), stderr.String(), tt.stdout, tt.stderr)
			}
		})
	}
}

func TestMainPrintsStackForDebugging(t *testing.T) {
	c := command(t, "panic")
	c.Env = append(c.Env, "FLUMEKIT_DEBUG=1")
	out, _ := c.CombinedOutput()
	if !bytes.Contains(out, []byte("main_test.go:")) {
		t.Errorf("got %s; want the place of the panic in it", out)
	}
}

func TestMainOnSignals(t *testing.T) {
	for _, tt := range []struct {
		args    string
		signals []os.Signal
		status  int
		stderr  string
	}{
		{"drained", []os.Signal{syscall.SIGTERM}, 0, ""},
		{"drained", []os.Signal{syscall.SIGINT}, 0, ""},
		{"drained", []os.Signal{syscall.SIGHUP}, 0, ""},
		{"slow", []os.Signal{syscall.SIGINT, syscall.SIGTERM}, 1, "prog: error: ended: context canceled\n"},
		{"deaf", []os.Signal{syscall.SIGINT, syscall.SIGINT}, 1, "prog: error: ended at once by a second signal (interrupt)\n"},
	} {
		t.Run(fmt.Sprint(tt.args, tt.signals), func(t *testing.T) {
			c := command(t, "stop", tt.args)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for _, s := range tt.signals {
				lines.Scan()
				c.Process.Signal(s)
			}
			io.Copy(io.Discard, out)
			c.Wait()
			if got := c.ProcessState.ExitCode(); got != tt.status || stderr.String() != tt.stderr {
				t.Errorf("got status %d, %q; want %d, %q", got, stderr.String(), tt.status, tt.stderr)
			}
		})
	}
}

func TestMainLeavesIgnoredSignals(t *testing.T) {
	c := command(t, "stop", "drained")
	shell := exec.CommandContext(t.Context(), "sh", "-c", `trap "" HUP; exec "$0" drained`, c.Path)
	shell.Env = c.Env
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	shell.Process.Signal(syscall.SIGHUP)
	shell.Process.Signal(syscall.SIGTERM)
	lines.Scan()
	if err := shell.Wait(); err != nil {
		t.Errorf("got %v; want the hang-up ignored, so that one signal is left", err)
	}
}

func TestMainOnBrokenPipe(t *testing.T) {
	c := command(t, "pipe")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewReader(out).ReadString('\n')
	out.Close()
	c.Wait()
	if got := c.ProcessState.ExitCode(); got != 1 || !strings.Contains(stderr.String(), "prog: error: writing: ") {
		t.Errorf("got status %d, %q; want 1 and an error", got, stderr.String())
	}
}

func TestMainLogsItsErrorToAProgram(t *testing.T) {
	c := command(t, "component", "pond", ":1", "--log-format=json", "--log-level=info", "--name=r1")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	c.Run()
	lines := strings.Split(stderr.String(), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %q; want two lines", stderr.String())
	}
	for i, want := range []string{
		" INFO source.PondSource: r1: started",
		" ERROR prog: r1: the pond is dry (hint=wait for rain)",
	} {
		if got := string(cli.FlumeLine([]byte(lines[i]))); !strings.HasSuffix(got, want) {
			t.Errorf("got %s; want it to end in %s", got, want)
		}
	}
}

func TestLifeline(t *testing.T) {
	c := command(t, "component", "pond", ":1", "--lifeline", "--log-format=json", "--log-level=info")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewReader(stderr).ReadString('\n')
	stdin.Close()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		if state := c.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != syscall.SIGKILL {
			t.Errorf("got %v; want it killed", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it lives on without standard input")
	}
}
