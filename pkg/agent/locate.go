package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Locate returns the path of a program of the toolkit: the one beside the
// running executable (symbolic links followed), else the one on the PATH.
func Locate(program string) (string, error) {
	if own, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(own); err == nil {
			own = real
		}
		if beside, err := exec.LookPath(filepath.Join(filepath.Dir(own), program)); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrDot) {
		return filepath.Abs(path)
	}
	if err != nil {
		err = fmt.Errorf("finding the program %s: %w", program, err)
		return "", fault.Hint(err, "install it beside fctl, or in a directory of the PATH")
	}
	return path, nil
}
