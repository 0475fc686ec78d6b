package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/flumekit/flumekit/pkg/fault"
)

// maxSocketPath is the longest path that every Unix takes for a socket.
const maxSocketPath = 103

// NewRunDir makes the private directory for the sockets of a topology: below
// $XDG_RUNTIME_DIR, else below the directory for temporary files. The caller
// removes it when the topology has ended.
func NewRunDir() (string, error) {
	parent := os.Getenv("XDG_RUNTIME_DIR")
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = os.TempDir()
	}
	dir, err := os.MkdirTemp(parent, "flumekit-") // mode 0700
	if err != nil {
		err = fmt.Errorf("making a directory for the sockets: %w", err)
		return "", fault.Hint(err, "set TMPDIR, or XDG_RUNTIME_DIR, to a directory that can be written to")
	}
	const longestName = 32
	if len(filepath.Join(dir, "")) > maxSocketPath-longestName {
		os.Remove(dir)
		err := fmt.Errorf("%s is too long a path for sockets", dir)
		return "", fault.Hint(err, "set TMPDIR, or XDG_RUNTIME_DIR, to a shorter path such as /tmp")
	}
	return dir, nil
}
