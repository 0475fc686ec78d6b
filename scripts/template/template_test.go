// Package template is what scripts/new makes components of. It has no code but
// the test that holds the templates to what the script says of them.
package template

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	root := copyTree(t)
	for _, tt := range []struct{ kind, name, folder string }{
		{"source", "made_up", "pkg/source/madeup"},
		{"sink", "made_up", "pkg/sink/madeup"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			succeed(t, root, "scripts/new", tt.kind, tt.name)
			if unformatted := succeed(t, root, "gofmt", "-l", "pkg"); unformatted != "" {
				t.Errorf("not formatted: %s", unformatted)
			}
			folder := "./" + tt.folder
			succeed(t, root, "go", "vet", folder)
			succeed(t, root, "go", "tool", "staticcheck", folder)
			succeed(t, root, "go", "test", "-run", "^TestLayout$", "./pkg")

			// What fails is the promises, in each case for what is to be written.
			log := fail(t, root, "go", "test", folder)
			for _, line := range strings.Split(log, "\n") {
				if strings.HasPrefix(line, "--- FAIL") && !strings.HasPrefix(line, "--- FAIL: TestPromises") {
					t.Errorf("%s in\n%s", line, log)
				}
			}
			failures := regexp.MustCompile(`\w+_test\.go:\d+: .*`).FindAllString(log, -1)
			for _, failure := range failures {
				if !strings.Contains(failure, "to be written") {
					t.Errorf("not said to be written: %s", failure)
				}
			}
			if len(failures) == 0 {
				t.Errorf("no failure says what is missing:\n%s", log)
			}
			log = fail(t, root, "go", "test", "-run", "TestFresh", "./scripts/reference")
			if !strings.Contains(log, tt.folder+"/README.md still says") || strings.Contains(log, "stale") {
				t.Errorf("the page's test says\n%s\nwant only that the template's words are still there", log)
			}
			log = fail(t, root, "scripts/new", tt.kind, tt.name)
			if want := "there is " + tt.folder + " already"; !strings.Contains(log, want) {
				t.Errorf("a second time: got %q; want %q", log, want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	root := copyTree(t)
	for _, tt := range []struct{ args, want string }{
		{"", "scripts/new source NAME"},
		{"channel x", "scripts/new source NAME"},
		{"source Netcat", "does not begin with a lower-case letter"},
		{"source a/b", "other signs"},
		{"source a_b a_b", "other signs"},
		{"source http", "name the FOLDER, such as httpsrc"},
		{"source netcat", "there is pkg/source/netcat already"},
		{"sink file_roll rolling", "there is a sink file_roll already"},
	} {
		log := fail(t, root, "scripts/new", strings.Fields(tt.args)...)
		if !strings.Contains(log, tt.want) {
			t.Errorf("scripts/new %s: got %q; want %q", tt.args, log, tt.want)
		}
	}
}

// copyTree returns a copy of the module's source.
func copyTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, path := range []string{"go.mod", "go.sum", "LICENSE", "cmd", "pkg", "scripts"} {
		err := filepath.WalkDir(filepath.Join("../..", path), func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			relative, err := filepath.Rel("../..", name)
			if err != nil {
				return err
			}
			to := filepath.Join(root, relative)
			if entry.IsDir() {
				return os.MkdirAll(to, 0o755)
			}
			info, err := entry.Info()
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			return os.WriteFile(to, text, info.Mode())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// succeed runs a command in dir and returns what it prints.
func succeed(t *testing.T, dir, command string, args ...string) string {
	t.Helper()
	log, err := run(t, dir, command, args)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, log)
	}
	return log
}

// fail runs a command that must fail and returns what it prints.
func fail(t *testing.T, dir, command string, args ...string) string {
	t.Helper()
	log, err := run(t, dir, command, args)
	if err == nil {
		t.Fatalf("%s %s: status 0; want a failure\n%s", command, strings.Join(args, " "), log)
	}
	return log
}

func run(t *testing.T, dir, command string, args []string) (string, error) {
	t.Helper()
	if strings.Contains(command, "/") {
		command = "./" + command
	}
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir = dir
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	err := cmd.Run()
	return log.String(), err
}
